"""A home that cannot be written: pages and verbs go on with what is there, and say so."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from full_home import RECIPE, furnished
from test_damaged_home import PAGES, _close

from emoviz.settings import PROJECT_ROOT

READS = {"checkpoints", "collection list", "review agreement", "predict {image}"}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, tiny_source: Path) -> Iterator[dict[str, Any]]:
    """Page or verb -> (what was raised, what was said)."""
    place = tmp_path_factory.mktemp("closed")
    with furnished(place, tiny_source) as settings:
        _close(settings)
        (settings.home / "recipe.yaml").write_text(RECIPE)
        image = next((place / "paintings").rglob("*.jpg"))
        folders = [settings.home, *(p for p in settings.home.rglob("*") if p.is_dir())]
        for path in settings.home.rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)
        settings.home.chmod(0o555)
        try:
            done = subprocess.run(
                [sys.executable, PROJECT_ROOT / "tests" / "read_only.py", settings.home, image],
                env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
                timeout=280,
            )
        finally:
            for folder in folders:
                folder.chmod(0o755)
        assert done.returncode == 0, done.stderr[-3000:]
        yield json.loads(done.stdout.splitlines()[-1])


def test_each_page_opens_and_says_that_nothing_is_kept(told: dict[str, Any]) -> None:
    for page in PAGES:
        raised, said = told[page]
        assert not raised, (page, raised)
        assert said.count("cannot be written: pages show what is there") == 1, (page, said)
    assert "gallery" in told["collections"][1]
    assert "Ona" in told["overview"][1]
    assert "Little set" in told["datasets"][1]


def test_each_verb_reads_or_says_why_it_cannot_write(told: dict[str, Any]) -> None:
    for verb in told.keys() - set(PAGES):
        raised, said = told[verb]
        assert not raised, (verb, raised)
        if verb in READS:
            assert said.startswith("0"), (verb, said)
        else:
            code, _, words = said.partition(" ")
            assert code == "2", (verb, said)
            assert words.strip().splitlines()[-1].startswith("emoviz: "), (verb, said)
            assert "cannot be written" in words, (verb, said)
