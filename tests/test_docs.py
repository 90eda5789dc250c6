"""What the documents promise is there."""

import re
import subprocess
import sys

from emoviz.settings import PROJECT_ROOT

ARCHITECTURE, COMMANDS = (
    (PROJECT_ROOT / "docs" / name).read_text(encoding="utf-8")
    for name in ("architecture.md", "command-line.md")
)


def test_every_file_of_the_program_has_its_place_in_the_documents() -> None:
    folders = ("emoviz", "pages", "benchmarks", "scripts")
    files = [f for name in folders for f in (PROJECT_ROOT / name).rglob("*") if f.is_file()]
    hidden = {"__init__.py", "py.typed", "_timing.py"}
    names = {f.name for f in files if "__pycache__" not in f.parts} - hidden
    missing = sorted(name for name in names if name not in ARCHITECTURE)
    assert not missing


def test_no_document_was_left_unfinished() -> None:
    for document in (*PROJECT_ROOT.glob("*.md"), *(PROJECT_ROOT / "docs").glob("*.md")):
        text = document.read_text(encoding="utf-8")
        assert not re.search(
            r"\b(TODO|TBD|FIXME|XXX|[A-Z]{4,}(BODY|TABLE|TEXT)|RESULTS|TREE)\b", text
        )
        assert len(text) > 500, document.name


def test_links_and_pictures_of_the_documents_exist() -> None:
    for document in (*PROJECT_ROOT.glob("*.md"), *(PROJECT_ROOT / "docs").rglob("*.md")):
        text = document.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_documents_list_the_verbs_of_the_command_line() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "emoviz", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT_ROOT,
    ).stdout
    verbs = re.findall(r"^    (\w+)", printed, flags=re.MULTILINE)
    assert {"predict", "evaluate", "checkpoints", "train"} <= set(verbs)
    assert all(f"emoviz {verb}" in COMMANDS for verb in verbs)
