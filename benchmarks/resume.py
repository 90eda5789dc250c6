"""How soon a killed run takes its first new step.

    python benchmarks/resume.py [--images 4000]

A run on so many images (sample_data, repeated) is killed with SIGKILL after its first steps, then
resumed. Printed are the seconds from asking for the run to the moment when its first new step
begins, without the imports that every start pays, and the same of the first start for comparison.
Wanted: under 5 s.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from training import repeated_table

RECIPE = """
name: little
taxonomy: mikels8
network: {backbone: tf_efficientnet_lite2}
input: {size: 224}
data: {validation: 0.1, test: 0.1}
phases: [{train: all, epochs: 3, batch: 16}]
"""
CHILD = """
import sys, time
from pathlib import Path
from emoviz.memory import keep_large_blocks
keep_large_blocks()
from emoviz.settings import load_settings
from emoviz.training import loop, run
import accelerate, tensorboardX
step = loop._backward
began = time.monotonic()
def told(*arguments):
    print("step", time.monotonic() - began, flush=True)
    return step(*arguments)
loop._backward = told
run.train_in_folder(sys.argv[1], [sys.argv[2]], Path(sys.argv[3]), load_settings(),
                    lambda line: None, resume=True)
"""


def first_step(arguments: list[str], environment: dict[str, str], steps: int) -> float:
    """Start a run and kill it after some steps; seconds to its first."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    took = 0.0
    for count, line in enumerate(child.stdout, start=1):
        took = took or float(line.split()[1])
        if count == steps:
            break
    time.sleep(1.0)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "images").mkdir()
        table, _, _ = repeated_table(place / "images", options.images)
        (place / "little.yaml").write_text(RECIPE)
        environment = {**os.environ, "EMOVIZ_SAVE_SECONDS": "1"}
        arguments = [str(place / "little.yaml"), str(table), str(place / "run")]
        began = first_step(arguments, environment, 5)
        resumed = [first_step(arguments, environment, 3) for _ in range(3)]
    print(f"first start: {began:.1f} s ({options.images} images are opened once)")
    words = ", ".join(f"{value:.1f}" for value in resumed)
    print(f"resumed: {words} s to the first new step (wanted: under 5)")
    print(f"resumed against the first start: x {min(resumed) / began:.2f}")


if __name__ == "__main__":
    main()
