"""What is loaded before the first visitor comes."""

from pathlib import Path

import pytest

from emoviz.checkpoints import Checkpoint
from emoviz.settings import PROJECT_ROOT
from emoviz.ui import models, shell, warming


def test_the_network_is_loaded_and_the_pages_imports_are_found(
    monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Checkpoint
) -> None:
    monkeypatch.setattr(shell, "DEFAULT", tiny_checkpoint.card.id)
    loaded: list[str] = []
    monkeypatch.setattr(models, "ready", lambda item, settings: loaded.append(item.card.id))
    asked: list[str] = []
    monkeypatch.setattr(warming.importlib, "import_module", asked.append)
    warming.warm_up()
    assert loaded == [tiny_checkpoint.card.id]
    assert {"emoviz.ui.board", "emoviz.ui.explorer.board", "emoviz.ui.measure"} <= set(asked)
    assert asked.index("emoviz.ui.board") < asked.index("emoviz.ui.explorer.board")


def test_what_fails_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(warming, "load_settings", fails)
    monkeypatch.setattr(warming.importlib, "import_module", fails)
    warming.warm_up()


def test_each_page_has_imports_of_ours() -> None:
    for page in (PROJECT_ROOT / "pages").rglob("*.py"):
        assert any(name.startswith("emoviz.ui") for name in warming.imported(page)), page
