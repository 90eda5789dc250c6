"""Fixtures shared by all tests: a home of their own, a tiny checkpoint, images made on the spot."""

import csv
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from emoviz import jobs
from emoviz.checkpoints import Card, Checkpoint, save_checkpoint
from emoviz.data.preprocessing import Preprocessing
from emoviz.labels import MIKELS8
from emoviz.settings import Settings, load_settings

if TYPE_CHECKING:
    from local_server import LocalServer
    from postgresql import Cluster

    from emoviz.inference.predict import Model
    from emoviz.review.store import ReviewStore


@pytest.fixture(scope="session")
def tiny_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with a small random network, made once for all tests."""
    import torch

    from emoviz.models.network import EmotionNetwork, NetworkConfig
    from emoviz.models.novelty import fit_novelty

    torch.manual_seed(0)
    network = EmotionNetwork(NetworkConfig("test_efficientnet", 8, layers=(1, 2, 3)))
    torch.nn.init.normal_(network.classifier.weight, std=0.5)
    strengths = np.exp(np.random.default_rng(0).normal(size=(64, sum(network.backbone.channels))))
    card = Card(
        id="tiny",
        title="Tiny test network",
        summary="Random weights, for tests only.",
        taxonomy=MIKELS8,
        network=network.config.to_dict(),
        preprocessing=Preprocessing(96, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
        temperature=1.3,
        licence="none",
    )
    folder = tmp_path_factory.mktemp("source") / "tiny"
    save_checkpoint(
        folder, card, network, torch.randn(8, network.width), fit_novelty(strengths, strengths)
    )
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for everything the app writes, with EMOVIZ_HOME pointing at it."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("EMOVIZ_HOME", str(folder))
    return folder


@pytest.fixture
def settings(home: Path) -> Settings:
    """Settings whose home is the test's own."""
    return load_settings()


@pytest.fixture
def tiny_checkpoint(home: Path, tiny_source: Path) -> Checkpoint:
    """The tiny checkpoint under the home's checkpoints, as id `tiny`."""
    from placed import put_checkpoint

    return put_checkpoint(tiny_source, home)


@pytest.fixture
def model(tiny_checkpoint: Checkpoint, settings: Settings) -> "Model":
    """The tiny checkpoint on the CPU, ready to predict."""
    from emoviz.inference.predict import load_model

    return load_model(tiny_checkpoint, replace(settings, device="cpu", threads=1))


@pytest.fixture
def server() -> Iterator["LocalServer"]:
    """A server on this machine."""
    from local_server import local_server

    with local_server() as found:
        yield found


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """Makes encoded images: `picture(fmt="JPEG", size=(96, 64), mode="RGB", seed=0, **save)`."""

    def make(
        fmt: str = "JPEG",
        size: tuple[int, int] = (96, 64),
        mode: str = "RGB",
        seed: int = 0,
        **save: object,
    ) -> bytes:
        values = np.random.default_rng(seed).integers(0, 255, (4, 6, 3), dtype=np.uint8)
        image = Image.fromarray(values).resize(size, Image.Resampling.BICUBIC).convert(mode)
        buffer = io.BytesIO()
        image.save(buffer, fmt, **save)
        return buffer.getvalue()

    return make


@pytest.fixture(autouse=True)
def exact_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks learn in float32 whatever the clock says: exact results are compared."""
    if (precision := sys.modules.get("emoviz.training.precision")) is not None:
        monkeypatch.setattr(precision, "_SHORT", 1e9)


@pytest.fixture
def make_table(picture: Callable[..., bytes]) -> Callable[..., Path]:
    """Makes labelled sets: `make_table(folder, labels, seed=0, **columns)` gives the CSV.

    The folder is new and holds an image a label; `columns` stand beside file and label.
    """

    def make(folder: Path, labels: Sequence[str], seed: int = 0, **columns: Sequence[str]) -> Path:
        folder.mkdir()
        names = [f"{i}.jpg" for i in range(len(labels))]
        for i, name in enumerate(names):
            (folder / name).write_bytes(picture(seed=seed + i))
        with (folder / "labels.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["file", "label", *columns])
            writer.writerows(zip(names, labels, *columns.values(), strict=True))
        return folder / "labels.csv"

    return make


@pytest.fixture
def table(tmp_path: Path, make_table: Callable[..., Path]) -> Path:
    """A CSV of 32 small images in all eight classes, by an artist each; the first is broken."""
    made = make_table(
        tmp_path / "set", MIKELS8.names * 4, artist=[f"artist {i}" for i in range(32)]
    )
    (made.parent / "0.jpg").write_bytes(b"broken")
    return made


@pytest.fixture
def no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exporting the graph takes seconds and is tested elsewhere."""
    monkeypatch.setattr("emoviz.models.export.export_graph", lambda *arguments: None)


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    """Sums differ in their last digits with torch's number of threads, which UMAP changes.

    Its library sets the threads of OpenMP, and torch has the same.
    """
    if "torch" not in sys.modules:
        yield
        return
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _no_leftover_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Settings and home of the person who runs the tests must not change what is tested."""
    import os

    from emoviz.settings import variable_names

    for variable in variable_names().values():
        if variable in os.environ and variable != "EMOVIZ_HOME":
            monkeypatch.delenv(variable)
    if "EMOVIZ_HOME" not in os.environ:
        folder = tmp_path_factory.getbasetemp() / "nobodys-home"
        folder.mkdir(exist_ok=True)
        monkeypatch.setenv("EMOVIZ_HOME", str(folder))


# The review store -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgresql() -> Iterator["Cluster"]:
    """A PostgreSQL of its own; tests that want one are left out where none is installed."""
    from postgresql import cluster, programs

    found = programs()
    if found is None:
        assert "EMOVIZ_REQUIRE_POSTGRES" not in os.environ, "PostgreSQL is not installed"
        pytest.skip("PostgreSQL is not installed")
    with cluster(found) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, settings: Settings) -> "Iterator[ReviewStore]":
    """An empty review store, once on each database."""
    from emoviz.review.database import open_database
    from emoviz.review.store import open_store

    if request.param == "postgresql":
        cluster = request.getfixturevalue("postgresql")
        settings = replace(settings, database_url=cluster.emptied())
    open_database.cache_clear()
    opened = open_store(settings)
    yield opened
    opened.engine.dispose()
    open_database.cache_clear()


@pytest.fixture
def jobs_end(settings: Settings) -> Iterator[None]:
    """No job outlives its test."""
    yield
    for job in jobs.list_jobs(settings):
        job.cancel()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why a first try failed, also where the second passed: that is told nowhere else."""
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.section(f"first try of {report.nodeid}", sep="-")
        terminalreporter.write_line(report.longreprtext[-4000:])
