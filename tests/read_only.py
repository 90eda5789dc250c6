"""Opens every page and runs every verb in a home that cannot be written; a script for a test.

usage: read_only.py HOME IMAGE, with the home's rights taken away. Answers a JSON object: page or
verb -> what was raised, "" for nothing, and all that was said.
"""

import contextlib
import ctypes
import io
import json
import os
import sys
from pathlib import Path

if os.geteuid() == 0:  # the administrator may write everywhere, but for this
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        assert ctypes.CDLL(None).prctl(24, capability) == 0  # PR_CAPBSET_DROP
    if "DROPPED" not in os.environ:  # they go with the next program
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "DROPPED": "1"})

from streamlit.testing.v1 import AppTest

sys.path.insert(0, str(Path(__file__).parent))
from test_damaged_home import PAGES, VERBS, _open, _words

from emoviz.cli import main
from emoviz.settings import load_settings


def run_verb(words: list[str]) -> tuple[str, str]:
    """What was raised, and what was said on the error stream, after the exit code."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code = main(words)
    except BaseException as error:
        return repr(error), said.getvalue()
    return "", f"{code} {said.getvalue()}"


def raised(app: AppTest) -> str:
    """What a page did not expect."""
    return "".join(f"{item.message} {item.stack_trace}" for item in app.exception)


def run() -> None:
    """All pages, then all verbs."""
    home, image = Path(sys.argv[1]), sys.argv[2]
    assert not os.access(home, os.W_OK), "this user may write there all the same"
    found = {}
    for page in PAGES:
        app = _open(page, home, "")
        found[page] = raised(app), _words(app)
    more = (
        ("data", "import", "imagefolder", str(Path(image).parents[1]), "--library", "more"),
        ("collection", "add", "more", str(Path(image).parents[1]), "--checkpoint", "none"),
        ("review", "forget", "Jonas"),
        ("checkpoint", "import", str(home / "checkpoints" / "tiny"), "--id", "other", "--yes"),
        ("promote", str(home / "runs/finished/checkpoints/little"), "mine"),
        ("train", str(home / "recipe.yaml"), "--data", "little", "--no-graph"),
    )
    for verb in (*VERBS, *more):
        found[" ".join(verb[:2])] = run_verb([word.format(image=image) for word in verb])
    print(json.dumps(found))


if __name__ == "__main__":
    load_settings()
    run()
