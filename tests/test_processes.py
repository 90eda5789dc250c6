"""Several processes on one run: the same result as one, and the same global batch."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from emoviz.cli import main
from emoviz.errors import TrainingError
from emoviz.labels import MIKELS8
from emoviz.training.processes import Processes

RECIPE = """
name: little
taxonomy: mikels8
network: {backbone: test_efficientnet, pretrained: false}
input: {size: 64}
loss: {beta: 0.1, margin: 3}
data: {validation: 0.2, test: 0.2, class_weight_power: 0.5}
augment: {colour: 0.1}
phases:
  - {train: all, epochs: 2, batch: 8, precision: fp32, optimiser: sgd, learning_rate: 0.01}
"""
# The graph takes seconds and holds nothing that was learned.
SCRIPT = """
import sys
import emoviz.models.export
emoviz.models.export.export_graph = lambda *arguments: None
from emoviz.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def table(tmp_path: Path, make_table: Callable[..., Path]) -> Path:
    return make_table(tmp_path / "set", MIKELS8.names * 5)


def launched(count: int, start: Path, verb: list[str]) -> str:
    """What so many processes said.

    `accelerate launch` starts processes on GPUs through torch's launcher; on a CPU it would ask
    for MPI, so the launcher is called by itself here.
    """
    start.write_text(SCRIPT)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*launcher, "--nproc_per_node", str(count), "--", str(start), *verb],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).resolve().parent.parent,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.usefixtures("home", "no_graph")
def test_two_processes_do_what_one_does(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOVIZ_READERS", "0")
    (tmp_path / "little.yaml").write_text(RECIPE)
    one, two = tmp_path / "by-1", tmp_path / "by-2"
    verb = ["train", str(tmp_path / "little.yaml"), "--data", str(table), "--run"]
    assert main([*verb, str(one)]) == 0
    told = launched(2, tmp_path / "start.py", [*verb, str(two)])
    file = Path("checkpoints") / "little" / "model.safetensors"
    ours, theirs = load_file(one / file), load_file(two / file)
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        torch.testing.assert_close(
            value.float(), theirs[name].float(), atol=2e-5, rtol=2e-4, msg=lambda m, n=name: n + m
        )
    assert "2 processes share each batch" in told
    assert told.count("phase 1 epoch 1/2") == 1  # one of them speaks
    alone, together = map(epochs, (one, two))
    assert [x["step"] for x in alone] == [x["step"] for x in together]
    for a, b in zip(alone, together, strict=True):
        for key in ("loss", "entropy", "intra", "inter", "gradient_norm", "validation_entropy"):
            assert a[key] == pytest.approx(b[key], rel=2e-3), key


def epochs(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(x) for x in (run / "progress.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == "epoch"]


def test_a_global_batch_is_shared_out_whole() -> None:
    rows = np.arange(11)
    parts = [Processes(i, 3).share(rows) for i in range(3)]
    assert np.array_equal(np.concatenate(parts), rows)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_alone_nothing_is_changed() -> None:
    alone = Processes()
    layer = nn.Linear(2, 2)
    layer(torch.ones(1, 2)).sum().backward()
    before = [p.grad.clone() for p in layer.parameters() if p.grad is not None]
    alone.sum_gradients(list(layer.parameters()))
    for kept, parameter in zip(before, layer.parameters(), strict=True):
        assert parameter.grad is not None
        assert torch.equal(kept, parameter.grad)
    norm = nn.Sequential(nn.BatchNorm1d(3))
    alone.join_batch_norms(norm, backbone_too=True)
    assert type(norm[0]) is nn.BatchNorm1d


def test_trained_backbone_statistics_need_gpus() -> None:
    class OnCpu:
        device = torch.device("cpu")

    with pytest.raises(TrainingError, match="on GPUs only"):
        Processes(0, 2, OnCpu()).join_batch_norms(nn.Sequential(), backbone_too=True)
