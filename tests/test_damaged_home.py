"""A home with one thing damaged: pages and verbs go on with the others, and name the odd one.

By default each file is damaged in one way, in turn, and the pages that read it are opened. With
EMOVIZ_ALL_DAMAGES=ways each is damaged in every way, with EMOVIZ_ALL_DAMAGES=pages every page and
verb is opened, too.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from full_home import COLLECTION, RUN, SET, furnished
from safetensors.numpy import load_file, save_file
from streamlit.testing.v1 import AppTest

from emoviz import jobs
from emoviz.cli import main
from emoviz.errors import EmovizError
from emoviz.review import open_store
from emoviz.review.database import open_database
from emoviz.settings import PROJECT_ROOT, Settings

ALL = os.environ.get("EMOVIZ_ALL_DAMAGES", "")
DIGITS = b"9" * 5000


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _rank(path: Path) -> None:
    """Tensors of another rank; where there are none, values of another kind for every name."""
    if path.suffix == ".safetensors":
        save_file({name: np.zeros((2, 2, 2, 2, 2)) for name in load_file(path)}, path)
    else:
        text = path.read_bytes().decode(errors="replace")
        path.write_text(re.sub(r'": *("[^"]*"|-?[\d.]+)', '": [[1]]', text), errors="replace")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _coded(path: Path) -> None:
    path.write_bytes(path.read_bytes().decode(errors="replace").encode("utf-16"))


def _huge(path: Path) -> None:
    """Each number is one of 5,000 digits."""
    data = path.read_bytes()
    path.write_bytes(re.sub(rb"(?<=[:,\[ ])\d+(?=[,}\]\n])", DIGITS, data) if data else DIGITS)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": _cut,
    "braces": lambda path: path.write_bytes(b"{}\n"),
    "list": lambda path: path.write_bytes(b"[1, null, [2]]\n"),
    "rank": _rank,
    "junk": lambda path: path.write_bytes(np.random.default_rng(0).bytes(3000)),
    "huge": _huge,
    "nested": lambda path: path.write_bytes(b"[" * 100_000),
    "folder": _folder,
    "missing": Path.unlink,
    "coded": _coded,
}

# Beginning of a file's place in the home -> pages that read it, and the thing to be named.
READ_BY: dict[str, tuple[tuple[str, ...], str]] = {
    # Its weights run without a graph, so that it stays in the picker, by its title.
    "checkpoints/tiny/graph.onnx": (("classify", "embeddings"), "Tiny test network"),
    "checkpoints/": (("classify", "embeddings"), "tiny"),
    "sets/": (("datasets", "retrain"), SET),
    "tables/": (("embeddings", "evaluate"), "Little set"),
    "collections/": (("collections", "study"), COLLECTION),
    "runs/": (("runs", "retrain"), ""),
    "graphs/": (("classify",), ""),
    "jobs/": (("collections",), ""),
    "vectors/": (("embeddings",), "Own.csv"),
    "review.": (("artworks", "overview", "collections"), ""),
    "cache/": (("embeddings",), ""),
    "embeddings/": (("embeddings",), ""),
    "files.": (("collections",), ""),
    "thumbnails.": (("collections", "embeddings"), ""),
    "frequencies.": (("evaluate",), ""),
}
PAGES = tuple(sorted(path.stem for path in (PROJECT_ROOT / "pages").rglob("*.py")))
VERBS = (
    ("checkpoints",),
    ("collection", "list"),
    ("review", "agreement", COLLECTION),
    ("embed", "{image}", "--checkpoint", "tiny"),
    ("predict", "{image}", "--checkpoint", "tiny"),
)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, tiny_source: Path) -> Iterator[Settings]:
    place = tmp_path_factory.mktemp("damaged")
    with furnished(place, tiny_source) as settings:
        _close(settings)
        shutil.copytree(settings.home, place / "whole")
        yield settings


@pytest.fixture
def home(
    full: Settings, monkeypatch: pytest.MonkeyPatch, _no_leftover_environment: None
) -> Iterator[Path]:
    """The full home, whole again after each test."""
    monkeypatch.setenv("EMOVIZ_HOME", str(full.home))
    yield full.home
    _close(full)
    shutil.rmtree(full.home, ignore_errors=True)
    shutil.copytree(full.home.parent / "whole", full.home, dirs_exist_ok=True)


def _close(settings: Settings) -> None:
    """No engine holds the review's file, and all of it is in the file itself."""
    for job in jobs.list_jobs(settings):
        job.cancel()
        job.wait(10)
    with contextlib.suppress(EmovizError, OSError):  # it may be the damaged one
        open_store(settings).engine.dispose()
    open_database.cache_clear()


def _files() -> list[str]:
    """Every kind of file in a home, known before it is made."""
    return [
        "checkpoints/tiny/card.json",
        "checkpoints/tiny/model.safetensors",
        "checkpoints/tiny/graph.onnx",
        "sets/little.parquet",
        "tables/Little-set-*/tiny.parquet",
        "collections/gallery/about.json",
        "collections/gallery/items.jsonl",
        "collections/gallery/last.json",
        "collections/gallery/states.jsonl",
        "collections/gallery/works.csv",
        "runs/finished/checkpoints/little/card.json",
        "runs/finished/checkpoints/little/model.safetensors",
        "runs/finished/events/training/*",
        "runs/finished/measures.json",
        "runs/finished/probe.json",
        "runs/finished/progress.jsonl",
        "runs/finished/settings.json",
        "runs/finished/snapshots/000000001.npz",
        "runs/finished/log.txt",
        "jobs/*/job.json",
        "jobs/*/result.json",
        "jobs/*/progress.jsonl",
        "jobs/*/alive",
        "jobs/*/log.txt",
        "vectors/0-own.csv",
        "graphs/*",
        "review.sqlite",
        "embeddings/*.sqlite",
        "files.sqlite",
        "thumbnails.sqlite",
        "frequencies.sqlite",
        "embeddings/*.cost.json",
    ]


def _cases() -> list[tuple[str, str]]:
    """Each file with one damage in turn, or with every one."""
    ways = list(DAMAGES)
    if ALL:
        return [(file, way) for file in _files() for way in ways]
    return [(file, ways[(4 * number) % len(ways)]) for number, file in enumerate(_files())]


def test_no_kind_of_file_is_forgotten(home: Path) -> None:
    known = {path for pattern in _files() for path in home.glob(pattern)}
    # Locks and SQLite's journal hold nothing; training alone looks at a cache of features; a
    # checkpoint's README is for people.
    quiet = re.compile(r".*(\.lock|README\.md|-shm|-wal|gallery-works.*|cache/features/.*)$")
    left = [path for path in home.rglob("*") if path.is_file() and path not in known]
    assert not [path for path in left if not quiet.match(str(path))]


@pytest.mark.parametrize(("file", "way"), _cases())
def test_a_damaged_file_takes_no_page_and_no_verb_down(home: Path, file: str, way: str) -> None:
    path = next(home.glob(file))
    DAMAGES[way](path)
    for suffix in ("-shm", "-wal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    pages, thing = next(told for start, told in READ_BY.items() if file.startswith(start))
    shown = ""
    for page in PAGES if ALL == "pages" else pages:
        app = _open(page, home, file)
        assert not app.exception, (page, app.exception)
        assert app.title, page
        shown += _words(app)
    is_gone = file.startswith("vectors/") and way in (
        "folder",
        "missing",
    )  # a file that stood alone
    if thing and not is_gone:
        assert thing in shown
    image = next((home.parent / "paintings").rglob("*.jpg"))
    for verb in VERBS if ALL == "pages" else VERBS[:3]:
        code = main([word.format(image=image) for word in verb])
        assert code in (0, 1, 2), verb


def _open(page: str, home: Path, file: str) -> AppTest:
    app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=120)
    tables = next(iter((home / "tables").glob("Little-set-*"))).name
    query = {
        "checkpoint": "tiny",
        "collection": "vectors-0-own" if file.startswith("vectors") else tables,
        "set": SET,
        "run": RUN,
        "review": COLLECTION,
        "shown": COLLECTION,
        "view": "contents",
    }
    app.session_state["reviewer"] = "Ona"
    for name, value in query.items():
        app.query_params[name] = value
    (script,) = (PROJECT_ROOT / "pages").rglob(f"{page}.py")
    app.run()
    app.switch_page(str(script.relative_to(PROJECT_ROOT)))
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def _words(app: AppTest) -> str:
    parts = (*app.markdown, *app.caption, *app.info, *app.warning, *app.error, *app.text)
    picked = (word for box in app.selectbox for word in box.options)
    return " ".join([*(str(part.value) for part in parts), *map(str, picked), *_html(app)])


def _html(app: AppTest) -> Iterator[str]:
    for node in app:
        if node.type == "html":
            yield str(getattr(node.proto, "body", ""))
