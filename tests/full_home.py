"""A small home with one of everything in it: a network, a set, a table, a collection, a review, a
run, a job, vectors."""

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reviews import say

from emoviz import jobs
from emoviz.cli import main
from emoviz.review import open_store
from emoviz.settings import Settings, load_settings
from emoviz.training.recipe_loading import read_recipe
from emoviz.training.run import train_in_folder

COLLECTION, SET, RUN, REVIEWERS = "gallery", "little", "finished", ("Ona", "Jonas")
RECIPE = """
name: little
title: Little network
taxonomy: mikels8
network: {backbone: test_efficientnet, start: tiny}
input: {size: 64}
data: {validation: 0.25, test: 0.25}
phases: [{train: heads, epochs: 1, batch: 8, views: 1, positions: 0, learning_rate: 1e-3}]
"""


@contextmanager
def furnished(place: Path, tiny: Path) -> Iterator[Settings]:
    """A full home below `place`, with EMOVIZ_HOME pointing at it; for a whole module of tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("EMOVIZ_")]:
            patch.delenv(name)
        patch.setenv("EMOVIZ_HOME", str(place / "home"))
        patch.setattr("emoviz.models.export.export_graph", lambda *arguments: None)
        shutil.copytree(tiny, place / "home" / "checkpoints" / "tiny")
        settings = load_settings()
        furnish(settings, place)
        yield settings


def furnish(settings: Settings, outside: Path) -> None:
    """Fill the home, which holds the checkpoint `tiny`, with images that lie outside of it."""
    images = outside / "paintings"
    for number in range(16):
        folder = images / ("fear", "awe")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.jpg").write_bytes(_picture(number))
    checkpoint = ["--checkpoint", str(settings.user_checkpoints / "tiny")]
    _done("data", "import", "imagefolder", str(images), "--library", SET, "--title", "Little set")
    table = next((settings.home / "sets").glob(f"{SET}.*"))
    _done("embed", str(table), *checkpoint)
    _done("collection", "add", COLLECTION, str(images), "--kind", "folder", *checkpoint)
    store = open_store(settings)
    known = store.collection(COLLECTION)
    assert known is not None
    works = store.works(known.id)
    for name in REVIEWERS:
        person = store.reviewer(name)
        for work in works[:4]:
            say(store, person, work, "fear")
    train_in_folder(
        read_recipe(RECIPE), [str(table)], settings.runs / RUN, settings, lambda line: None
    )
    (settings.home / "vectors").mkdir()
    rows = "\n".join(f"{n},{n * n % 7},{n % 3}" for n in range(12))
    (settings.home / "vectors" / "0-own.csv").write_text(f"x,y,label\n{rows}\n")
    command = ["embed", str(table), *checkpoint]
    job = jobs.start(settings, "Bringing in", command, f"collection {COLLECTION}")
    assert job.wait(240) == "done"


def _done(*arguments: str) -> None:
    assert main(list(arguments)) == 0, arguments


def _picture(seed: int) -> bytes:
    values = np.random.default_rng(seed).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).resize((48, 32)).save(buffer, "JPEG")
    return buffer.getvalue()
