"""Prediction engines on the CPU: a fresh process, batch 1, batch 32, and the largest difference.

    python benchmarks/engines.py [--checkpoint mikels8] [--rounds 7]

Wanted: `predict` on one image in a fresh process at least 3 times faster than the shortest torch
and timm script that does the same; at batch 1 and 32 at least 2 times eager torch;
probabilities within 1e-4.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from _timing import alternate, milliseconds, report

from emoviz.checkpoints import open_checkpoint
from emoviz.inference.engines import open_engine
from emoviz.inference.predict import softmax
from emoviz.memory import keep_large_blocks
from emoviz.settings import PROJECT_ROOT, load_settings

SHORTEST = """
import sys, timm, torch
from PIL import Image
from safetensors.torch import load_file
from torchvision.transforms.functional import to_tensor
body = timm.create_model("tf_efficientnet_lite2", num_classes=8).eval()
weights = load_file(sys.argv[1])
start = "network.backbone.body."
own = {k.removeprefix(start): v for k, v in weights.items() if k.startswith(start)}
body.load_state_dict(own, strict=False)
image = Image.open(sys.argv[2]).convert("RGB").resize((260, 260), Image.Resampling.BICUBIC)
with torch.inference_mode():
    print(torch.softmax(body((to_tensor(image) - 0.5)[None] / 0.5), 1)[0].tolist())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="mikels8")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--keep-blocks", action="store_true", help="give eager torch the allocator advice too"
    )
    arguments = parser.parse_args()
    if arguments.keep_blocks:
        keep_large_blocks()
    settings = load_settings()
    checkpoint = open_checkpoint(arguments.checkpoint, settings)
    image = next((settings.sample_data / "images").glob("*.jpg"))
    fresh_process(checkpoint.weights, arguments.checkpoint, image, arguments.rounds)
    side = checkpoint.card.preprocessing.size
    rng = np.random.default_rng(0)
    onnx = open_engine(checkpoint, settings, "onnx")
    torch = open_engine(checkpoint, settings, "torch")
    for count in (1, 32):
        images = rng.integers(0, 255, (count, side, side, 3), dtype=np.uint8)
        ours, theirs = alternate(
            lambda x=images: onnx.run(x), lambda x=images: torch.run(x), arguments.rounds
        )
        report(f"batch {count}, speed against eager torch", "at least 2", theirs, ours)
        print(f"  ours {milliseconds(ours)}, eager torch {milliseconds(theirs)}")
        both = (softmax(e.run(images).logits, checkpoint.card.temperature) for e in (onnx, torch))
        print(f"  largest difference in probability: {np.abs(np.subtract(*both)).max():.1e}")


def fresh_process(weights: Path, name: str, image: Path, rounds: int) -> None:
    """One image from a cold start, as a person at a prompt meets it."""

    def run(*command: str) -> None:
        subprocess.run(
            [sys.executable, *command], check=True, capture_output=True, cwd=PROJECT_ROOT
        )

    ours, theirs = alternate(
        lambda: run("-m", "emoviz", "predict", str(image), "--checkpoint", name),
        lambda: run("-c", SHORTEST, str(weights), str(image)),
        rounds,
    )
    report("one image in a fresh process, speed against torch + timm", "at least 3", theirs, ours)
    print(f"  ours {milliseconds(ours)}, torch + timm {milliseconds(theirs)}")


if __name__ == "__main__":
    main()
