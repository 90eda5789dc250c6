"""The notebooks of examples/ run from top to bottom, and each cell's last value can be shown."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emoviz.settings import PROJECT_ROOT

NOTEBOOKS = sorted((PROJECT_ROOT / "examples").glob("*.ipynb"))


def script(notebook: Path) -> str:
    """Its code cells; what a cell ends with is shown as a notebook would."""
    shown = (
        "def show(value):\n"
        "    html = getattr(value, '_repr_html_', None)\n"
        "    print('shown', type(value).__name__, len(html() if html else repr(value)))"
    )
    parts = [shown]
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        assert cell["outputs"] == [], "kept without outputs: they are made by whoever runs it"
        tree = ast.parse("".join(cell["source"]))
        last = tree.body[-1]
        if isinstance(last, ast.Expr) and not ast.unparse(last).startswith("print("):
            tree.body[-1] = ast.parse(f"show({ast.unparse(last)})").body[0]
        parts.append(ast.unparse(tree))
    return "\n".join(parts)


def test_there_are_three_notebooks() -> None:
    assert len(NOTEBOOKS) == 3


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook: Path, home: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script(notebook)],
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    shown = [line.split() for line in done.stdout.splitlines() if line.startswith("shown ")]
    assert len(shown) >= 2
    assert all(int(size) > 10 for _, _, size in shown)
