"""What the first visitor would otherwise wait for, done in a thread while the browser opens."""

import ast
import contextlib
import importlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from streamlit import runtime

from emoviz.checkpoints import list_checkpoints
from emoviz.settings import PROJECT_ROOT, load_settings

_FIRST = "classify.py"  # the page that opens


def begin() -> threading.Thread:
    """Start to warm up; the thread ends with the server at the latest."""
    thread = threading.Thread(target=_once_it_runs, name="emoviz-warming", daemon=True)
    thread.start()
    return thread


def _once_it_runs() -> None:
    """Streamlit's caches want its runtime, which begins after what calls this."""
    for _ in range(600):
        if runtime.exists():
            warm_up()
            return
        time.sleep(0.05)


def warm_up() -> None:
    """Load what the first page imports, the network and the samples; then the other pages'.

    What fails here fails again where a person sees it, with words, so it is passed over.
    """
    pages = sorted((PROJECT_ROOT / "pages").rglob("*.py"), key=lambda page: page.name != _FIRST)
    for number, page in enumerate(pages):
        for name in imported(page):
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        if number == 0:
            with contextlib.suppress(Exception):
                _network_and_samples()


def imported(page: Path) -> Iterator[str]:
    """The modules of this package that a page imports."""
    for node in ast.walk(ast.parse(page.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("emoviz"):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _network_and_samples() -> None:
    from emoviz.ui import models, samples, shell  # what is cached there wants the runtime, too

    settings = load_settings()
    for checkpoint in list_checkpoints(settings)[0]:
        if checkpoint.card.id == shell.DEFAULT:
            models.ready(checkpoint, settings)
    for sample in samples.gallery(settings.sample_data):
        samples.small_picture(settings.sample_data / sample.file)
