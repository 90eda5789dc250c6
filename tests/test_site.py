"""The documentation's site is built strictly and asks nothing of the outside; the container."""

import os
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

import emoviz
import emoviz.api
from emoviz.cli import make_parser
from emoviz.settings import PROJECT_ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "NO_MKDOCS_2_WARNING": "1"},
        cwd=PROJECT_ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class _Loaded(HTMLParser):
    """What a browser loads of a page by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        if tag in ("script", "img", "iframe", "source"):
            self.found.append(given.get("src", ""))
        if tag == "link" and given.get("rel") not in ("canonical", "prev", "next"):
            self.found.append(given.get("href", ""))


def test_no_page_of_the_site_asks_anything_of_the_outside(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        reader = _Loaded()
        reader.feed(page.read_text(encoding="utf-8"))
        assert reader.found
        assert [place for place in reader.found if "//" in place] == [], page


def test_the_reference_holds_every_verb_and_every_name(site: Path) -> None:
    verbs = (site / "reference" / "verbs" / "index.html").read_text(encoding="utf-8")
    (parsers,) = (
        a.choices for a in make_parser()._actions if a.dest == "==SUPPRESS==" and a.choices
    )
    assert {"predict", "app", "train"} <= set(parsers)
    for name in parsers:
        assert re.search(rf'<h2 id="{name}[-"]', verbs), name
    api = (site / "reference" / "api" / "index.html").read_text(encoding="utf-8")
    for name in emoviz.api.__all__:
        assert f">{name}<" in api or f">emoviz.{name}<" in api, name
    assert "Images that were measured" in api, "methods and properties have their docstrings"


# The container -----------------------------------------------------------------------------------


def test_the_container_copies_what_is_there_and_runs_what_the_parser_takes() -> None:
    """No engine is at hand in every test; its steps are: files, user, command."""
    text = (PROJECT_ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    steps = [line.split(maxsplit=1) for line in text.splitlines() if line and line[0] != "#"]
    allowed = (PROJECT_ROOT / ".dockerignore").read_text(encoding="utf-8")
    for what, rest in steps:
        if what == "COPY":
            for source in shlex.split(rest)[:-1]:
                assert (PROJECT_ROOT / source).exists(), source
                assert f"!{source}" in allowed, source
    order = [what for what, _ in steps]
    assert order.index("USER") > max(i for i, what in enumerate(order) if what == "RUN")
    assert dict(reversed(steps))["USER"] == "emoviz"
    command = yaml.safe_load(next(rest for what, rest in steps if what == "CMD"))
    assert command[0] == "emoviz"
    arguments = make_parser().parse_args(command[1:])
    assert (arguments.port, arguments.no_browser) == (8501, True)
    assert arguments.streamlit == ["--server.address", "0.0.0.0"]


def test_the_services_keep_what_they_should() -> None:
    values = yaml.safe_load((PROJECT_ROOT / "compose.yaml").read_text(encoding="utf-8"))
    app, proxy = values["services"]["app"], values["services"]["proxy"]
    assert "ports" not in app, "the proxy alone is reached from outside"
    assert app["read_only"] is True
    assert proxy["ports"] == ["80:80", "443:443"]
    url = app["environment"]["EMOVIZ_DATABASE_URL"]
    assert re.fullmatch(r"postgresql://emoviz:\$\{POSTGRES_PASSWORD:\?.*\}@database/emoviz", url)
    volumes = {v.split(":")[0] for s in values["services"].values() for v in s["volumes"]}
    assert {name for name in volumes if not name.startswith(".")} == set(values["volumes"])
    rules = values["configs"][proxy["configs"][0]["source"]]["content"]
    assert "lb_policy cookie" in rules, "a browser stays with the server that knows its session"
    assert f"a app {dockerfile_port()}" in rules


def dockerfile_port() -> str:
    """Where the container listens."""
    text = (PROJECT_ROOT / "Dockerfile").read_text(encoding="utf-8")
    return re.search(r"^EXPOSE (\d+)$", text, re.MULTILINE)[1]  # type: ignore[index]


def test_citation_and_package_are_of_one_version() -> None:
    values = yaml.safe_load((PROJECT_ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert values["version"] == emoviz.__version__
    newest = re.search(r"^## \[(.+?)\]", (PROJECT_ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] in (emoviz.__version__, "Unreleased")
    assert values["license"] == "Apache-2.0"
