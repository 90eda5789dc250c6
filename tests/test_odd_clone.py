"""A clone of the project in a folder of any name: a verb and every page work from there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from emoviz.settings import PROJECT_ROOT

ODD = "a clone, 100 %41 ? #h"  # spaces and signs of addresses
LATIN = os.fsdecode(b"of Ren\xe9")  # a byte that is no UTF-8
_PAGES = """
import json, sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
from emoviz.settings import PROJECT_ROOT
app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=120).run()
found = {"app": [item.value for item in app.exception]}
for page in sorted((PROJECT_ROOT / "pages").rglob("*.py")):
    app.switch_page(str(page.relative_to(PROJECT_ROOT))).run()
    found[page.stem] = [item.value for item in app.exception]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone holds, without the large checkpoints."""
    root = tmp_path_factory.mktemp("odd") / ODD
    root.mkdir()
    left_out = shutil.ignore_patterns("__pycache__")
    for name in ("emoviz", "pages", "sample_data", ".streamlit"):
        shutil.copytree(PROJECT_ROOT / name, root / name, ignore=left_out)
    shutil.copy(PROJECT_ROOT / "app.py", root)
    return root


def run_there(clone: Path, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own, with the clone's package."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=clone,
        env={**os.environ, "PYTHONPATH": str(clone), "EMOVIZ_HOME": str(home)},
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
    )


@pytest.mark.usefixtures("tiny_checkpoint")
def test_a_verb_works_in_a_clone_of_any_name(clone: Path, home: Path) -> None:
    clone = shutil.copytree(clone, clone.parent / f"{ODD} {LATIN}")
    image = next((clone / "sample_data" / "images").glob("*.jpg"))
    words = ("predict", str(image), "--checkpoint", "tiny", "--format", "json")
    done = run_there(clone, home, "-m", "emoviz", *words)
    assert done.returncode == 0, done.stderr
    assert [row["error"] for row in json.loads(done.stdout)] == [None]
    where = run_there(clone, home, "-c", "import emoviz; print(ascii(emoviz.__file__))")
    assert ascii(str(clone))[1:-1] in where.stdout  # the clone's own code


@pytest.mark.usefixtures("tiny_checkpoint")
def test_every_page_opens_in_a_clone_of_any_name(clone: Path, home: Path) -> None:
    done = run_there(clone, home, "-c", _PAGES)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert len(told) == 14
    assert {page: errors for page, errors in told.items() if errors} == {}
