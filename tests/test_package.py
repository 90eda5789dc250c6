"""The package by itself: what the small installation does, and a wheel far from its checkout."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import core_environment
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from placed import put_checkpoint

from emoviz.settings import PROJECT_ROOT

SAMPLE = PROJECT_ROOT / "sample_data"
PAGES = """
import sys
from streamlit.testing.v1 import AppTest
from emoviz.settings import PROJECT_ROOT

app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=120).run()
for path in sorted((PROJECT_ROOT / "pages").rglob(sys.argv[1])):
    app.switch_page(str(path.relative_to(PROJECT_ROOT))).run()
    troubles = [item.value for item in (*app.exception, *app.error)]
    print(path.name, len(app.title), troubles, [item.value for item in app.info], sep="|")
print("torch" in sys.modules)
"""


def run(python: Path, home: Path, *arguments: object, cwd: Path, paths: str) -> str:
    """What a command prints, by an environment's Python that knows `paths` alone."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("EMOVIZ_")}
    done = subprocess.run(
        [str(python), *map(str, arguments)],
        env={**clean, "EMOVIZ_HOME": str(home), "PYTHONPATH": paths, "PYTHONUTF8": "1"},
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


# The small installation --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return core_environment.make(tmp_path_factory.mktemp("core"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_source: Path) -> Path:
    """A home with a small network that was compared before, and six labelled images."""
    root = tmp_path_factory.mktemp("place")
    put_checkpoint(tiny_source, root / "home")
    (graphs,) = (root / "home" / "graphs").iterdir()
    graphs.with_name(graphs.name.replace("compared", "run")).touch()
    lines = (SAMPLE / "labels.csv").read_text(encoding="utf-8").splitlines()
    (root / "labels.csv").write_text("\n".join(lines[:7]), encoding="utf-8")
    shutil.copytree(SAMPLE / "images", root / "images")
    return root


def test_the_small_installation_has_no_torch(core: Path) -> None:
    for name in core_environment.EXTRA:
        done = subprocess.run(
            [core, "-c", f"import {name}"], capture_output=True, encoding="utf-8", check=False
        )
        assert f"No module named '{name}'" in done.stderr


def test_verbs_that_need_no_training_packages(core: Path, place: Path) -> None:
    def emoviz(*arguments: object) -> str:
        command = ("-m", "emoviz", *arguments)
        return run(core, place / "home", *command, cwd=place, paths=str(PROJECT_ROOT))

    image = place / "images" / "koala.jpg"
    rows = json.loads(emoviz("predict", image, "--checkpoint", "tiny", "--format", "json"))
    assert rows[0]["error"] is None
    table = ("--data", place / "labels.csv", "--checkpoint", "tiny", "--format", "json")
    assert json.loads(emoviz("evaluate", *table))
    emoviz("embed", place / "images", "--checkpoint", "tiny", "--out", place / "e.parquet")
    emoviz("project", place / "e.parquet", "--method", "pca", "--out", place / "map.parquet")
    assert (place / "map.parquet").is_file()
    emoviz("collection", "add", "works", place / "images", "--checkpoint", "tiny")
    emoviz("review", "export", "works", "--as", "csv", "--out", place / "works.csv")
    assert len((place / "works.csv").read_text(encoding="utf-8").splitlines()) > 6


def test_what_needs_them_says_which_command_brings_them(core: Path, place: Path) -> None:
    for arguments in (
        ("explain", place / "images" / "koala.jpg", "--checkpoint", "tiny"),
        ("train", "mikels8-frozen-baseline", "--data", place / "labels.csv", "--run", place / "r"),
    ):
        done = subprocess.run(
            [core, "-m", "emoviz", *map(str, arguments)],
            env={**os.environ, "EMOVIZ_HOME": str(place / "home"), "PYTHONPATH": str(PROJECT_ROOT)},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 2
        assert done.stderr.startswith("emoviz: This needs ")
        assert done.stderr.rstrip().endswith("pip install 'emoviz[train]'")
        assert "Traceback" not in done.stderr


def test_python_says_so_too(core: Path, place: Path) -> None:
    code = (
        "import emoviz, emoviz.errors\n"
        "net = emoviz.load('tiny')\n"
        "try: net.explain('images/koala.jpg', 'ig')\n"
        "except emoviz.errors.NotInstalledError as error: print(error)\n"
        "print(net.explain('images/koala.jpg', 'occlusion'))\n"
    )
    said = run(core, place / "home", "-c", code, cwd=place, paths=str(PROJECT_ROOT))
    assert said.startswith("This needs PyTorch")
    assert "in koala.jpg, by occlusion" in said


def test_every_page_opens_without_them(core: Path, place: Path) -> None:
    printed = run(core, place / "home", "-c", PAGES, "*.py", cwd=place, paths=str(PROJECT_ROOT))
    *pages, torch = printed.splitlines()
    assert torch == "False"
    assert len(pages) == len(list((PROJECT_ROOT / "pages").rglob("*.py")))
    for line in pages:
        _, titles, troubles, _ = line.split("|")
        assert (titles, troubles) == ("1", "[]"), line
    told = next(line for line in pages if line.startswith("retrain.py"))
    assert "needs PyTorch, which the small installation of emoviz leaves out" in told


# The wheel ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the checkout with the files of the wheel that the sdist gives."""
    root = tmp_path_factory.mktemp("wheel")
    source = root / "source"
    ignored = shutil.ignore_patterns("__pycache__", ".venv", "node_modules", "build", "*.egg-info")
    source.mkdir()
    for name in ("emoviz", "pages", "checkpoints", "sample_data", ".streamlit", "docs"):
        shutil.copytree(PROJECT_ROOT / name, source / name, ignore=ignored, copy_function=os.link)
    for file in PROJECT_ROOT.iterdir():
        if file.is_file():
            shutil.copyfile(file, source / file.name)
    sdist = "from setuptools import build_meta; build_meta.build_sdist('..')"
    subprocess.run([sys.executable, "-c", sdist], cwd=source, check=True, capture_output=True)
    shutil.rmtree(source)
    (archive,) = root.glob("*.tar.gz")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    build = ("wheel", str(archive), "--no-build-isolation", "--no-deps", "-w", str(root))
    subprocess.run([*pip, *build], check=True, capture_output=True)
    (wheel,) = root.glob("*.whl")
    assert wheel.stat().st_size < 100_000_000, "PyPI takes files of up to 100 MB"
    target = root / "site"
    install = ("install", str(wheel), "--no-deps", "--no-index", "--target", str(target))
    subprocess.run([*pip, *install], check=True, capture_output=True)
    return target


def test_the_wheel_is_whole(installed: Path) -> None:
    kept = {str(p.relative_to(installed)) for p in installed.rglob("*") if p.is_file()}
    wanted = {
        str(path.relative_to(PROJECT_ROOT))
        for path in (PROJECT_ROOT / "emoviz").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted - kept == set()
    shipped = ("app.py", ".streamlit/config.toml", "sample_data/ATTRIBUTION.md")
    pages = (str(p.relative_to(PROJECT_ROOT)) for p in (PROJECT_ROOT / "pages").rglob("*.py"))
    for name in (*shipped, *pages, "checkpoints/mikels8/graph.onnx"):
        assert f"emoviz/shipped/{name}" in kept


def test_the_wheel_predicts_and_opens_pages_from_an_empty_folder(
    installed: Path, tmp_path: Path
) -> None:
    def python(*arguments: object) -> str:
        home = tmp_path / "home"
        here = tmp_path / "empty"
        here.mkdir(exist_ok=True)
        return run(Path(sys.executable), home, *arguments, cwd=here, paths=str(installed))

    where = python("-c", "import emoviz; print(emoviz.__file__)")
    assert where.startswith(str(installed))
    image = installed / "emoviz" / "shipped" / "sample_data" / "images" / "koala.jpg"
    (row,) = json.loads(python("-m", "emoviz", "predict", image, "--format", "json"))
    assert row["error"] is None
    assert python("-m", "emoviz", "recipes").count("\n") > 10
    for line in python("-c", PAGES, "c*s*.py").splitlines()[:-1]:
        _, titles, troubles, _ = line.split("|")
        assert (titles, troubles) == ("1", "[]"), line


def test_the_wheel_serves_the_app_on_a_port(installed: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "emoviz", "app", "--port", str(port), "--no-browser"],
        env={**os.environ, "EMOVIZ_HOME": str(tmp_path / "home"), "PYTHONPATH": str(installed)},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}/_stcore/health"
        assert _answer(address, process) == b"ok"
    finally:
        process.terminate()
        process.wait(timeout=20)


def _answer(address: str, process: "subprocess.Popen[bytes]") -> bytes:
    for _ in range(600):
        assert process.poll() is None
        try:
            with urllib.request.urlopen(address, timeout=2) as page:
                return bytes(page.read())
        except OSError:
            time.sleep(0.1)
    raise AssertionError("it never answered")


def locked(name: str) -> dict[str, tuple[str, int]]:
    """Package -> its version, and how many hashes stand below it."""
    found: dict[str, tuple[str, int]] = {}
    for line in (PROJECT_ROOT / name).read_text().splitlines():
        if pin := re.match(r"([a-z0-9-]+)(?:\[.*\])?==(\S+)", line):
            last, found[pin[1]] = pin[1], (pin[2], 0)
        elif re.match(r"    --hash=sha256:[0-9a-f]{64}( \\)?$", line):
            version, count = found[last]
            found[last] = version, count + 1
        else:
            assert line.startswith("#"), line
    return found


def test_each_requirement_is_locked_by_version_and_hash() -> None:
    """`scripts/lock` was run after a change of the requirements."""
    small, whole = locked("requirements-lock.txt"), locked("requirements-dev-lock.txt")
    assert small.items() <= whole.items()
    assert all(count for _, count in whole.values())
    for name, pins in (("requirements.txt", small), ("requirements-dev.txt", whole)):
        lines = (PROJECT_ROOT / name).read_text().splitlines()
        for wanted in (Requirement(x) for x in lines if x and not x.startswith("#")):
            version, _ = pins[canonicalize_name(wanted.name)]
            assert wanted.specifier.contains(version), (wanted, version)
