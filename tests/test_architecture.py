"""The house of CONTRIBUTING.md, read from the imports: nothing imports what stands to its right."""

import ast
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from emoviz.settings import Settings, variable_names

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "emoviz"

# Left to right; what stands on one floor may import each other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "settings", "labels", "files", "memory", "model_card", "plugins", "recipe_reading"),
    ("data",),
    ("models",),
    ("checkpoints",),
    ("inference",),
    ("analysis",),
    ("curation",),
    ("training", "experiments"),
    ("jobs", "review"),
    ("plots",),
    ("api",),
    ("ui",),
    ("pages", "app", "cli", "__main__"),
)
FLOOR_OF = {name: number for number, names in enumerate(FLOORS) for name in names}

NETWORKS = {"torch", "torchvision", "timm", "captum", "onnx", "onnxruntime"}
# floor or module -> what it may not import, however late, with the reason
FORBIDDEN: dict[str, tuple[set[str], str]] = {
    "analysis": (
        NETWORKS | {"streamlit", "plotly", "emoviz.models", "emoviz.inference"},
        "analysis knows arrays, not networks or screens",
    ),
    "jobs": (NETWORKS, "jobs imports no torch: it talks with training through the run folder"),
    "labels": (NETWORKS, "arrays only"),
    "data": (NETWORKS, "images come in without a network"),
    "cli": (NETWORKS, "a prediction waits for neither torch nor Streamlit"),
}
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal"}


def sources() -> list[Path]:
    """Every Python file of the app."""
    pages = ROOT / "pages"
    app = ROOT / "app.py"
    found = [*PACKAGE.rglob("*.py"), *pages.rglob("*.py"), *([app] if app.exists() else [])]
    assert len(found) > 20
    return sorted(found)


def module_of(path: Path) -> str:
    """``emoviz.data.images``, ``pages.predict.classify``, ``app``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path.read_text(encoding="utf-8") for path in sources()}


@cache
def parsed(code: str) -> ast.Module:
    return ast.parse(code)


def room_of(module: str) -> str:
    """The name that has a floor: ``emoviz.data.images`` -> ``data``; ``emoviz`` itself -> ""."""
    parts = module.split(".")
    return (parts[1] if len(parts) > 1 else "") if parts[0] == "emoviz" else parts[0]


def imports(code: str) -> Iterator[str]:
    """Every module that the code imports, in functions and under TYPE_CHECKING too."""
    for node in ast.walk(parsed(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "write imports in full"
            assert node.module is not None
            yield node.module
            # `from emoviz import labels` names a module, `from emoviz import __version__` none
            below = ROOT.joinpath(*node.module.split("."))
            for alias in node.names:
                if (below / alias.name).is_dir() or (below / f"{alias.name}.py").is_file():
                    yield f"{node.module}.{alias.name}"


def against_the_arrows(module: str, code: str) -> list[str]:
    """Imports that lead from left to right."""
    own = FLOOR_OF.get(room_of(module), -1)
    ours = {"emoviz", "pages", "app"}
    return [
        f"{module} imports {name}"
        for name in imports(code)
        if name.split(".")[0] in ours and room_of(name) and FLOOR_OF[room_of(name)] > own
    ]


def matches(name: str, forbidden: set[str]) -> bool:
    return any(name == item or name.startswith(item + ".") for item in forbidden)


def circles(arrows: dict[str, set[str]]) -> list[set[str]]:
    """Modules that reach one another, whichever way and however late they import."""
    reached = {module: set(targets) for module, targets in arrows.items()}
    for through in arrows:
        for targets in reached.values():
            if through in targets:
                targets |= reached[through]
    found: list[set[str]] = []
    for module, targets in reached.items():
        if module in targets and not any(module in circle for circle in found):
            found.append({other for other in targets if module in reached[other]})
    return found


def outside_the_screens(module: str, code: str) -> list[str]:
    """Streamlit anywhere but in app.py, pages/ and emoviz/ui/."""
    if room_of(module) in ("app", "pages", "ui"):
        return []
    return [f"{module} imports {name}" for name in imports(code) if matches(name, {"streamlit"})]


def unsafe_reading(code: str) -> list[str]:
    """What runs code out of data: pickle and its kin, unsafe torch.load, np.load, yaml.load."""
    found = []
    for name in imports(code):
        if matches(
            name, {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal"}
        ):
            found.append(name)
    for node in ast.walk(parsed(code)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        given = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if called == "torch.load" and given.get("weights_only") != "True":
            found.append(called)
        if called in ("np.load", "numpy.load") and given.get("allow_pickle", "False") != "False":
            found.append(called)
        if called in ("joblib.load", "pd.read_pickle", "pandas.read_pickle", "yaml.unsafe_load"):
            found.append(called)
        if called in ("yaml.load", "yaml.load_all") and "Safe" not in given.get("Loader", ""):
            found.append(called)
    return found


def undocumented(code: str) -> list[str]:
    """Public classes, functions and methods without a docstring."""
    missing: list[str] = []

    def visit(node: ast.AST, place: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                if child.name.startswith("_"):
                    continue
                name = f"{place}{child.name}"
                overloads = {ast.unparse(item) for item in child.decorator_list}
                if ast.get_docstring(child) is None and not overloads & {"overload"}:
                    missing.append(name)
                if isinstance(child, ast.ClassDef):
                    visit(child, f"{name}.")

    visit(parsed(code), "")
    return missing


# The house -----------------------------------------------------------------------------------


def test_every_module_has_a_floor() -> None:
    rooms = {room_of(module_of(path)) for path in sources()} - {""}
    assert rooms <= set(FLOOR_OF), "name the new module in FLOORS, and in CONTRIBUTING.md"


def test_imports_follow_the_arrows() -> None:
    assert [line for item in MODULES.items() for line in against_the_arrows(*item)] == []


def test_no_two_files_import_each_other() -> None:
    def targets(code: str) -> Iterator[str]:
        named = {name for name in imports(code) if name in MODULES}
        for name in named:
            # `from package import module` asks for the module, not for what the package offers
            if not any(other.startswith(f"{name}.") for other in named):
                yield name

    arrows = {module: set(targets(code)) - {module} for module, code in MODULES.items()}
    assert list(circles(arrows)) == []


def test_streamlit_lives_in_the_screens_alone() -> None:
    assert [line for item in MODULES.items() for line in outside_the_screens(*item)] == []


def test_rows_end_by_one_writer() -> None:
    """By `csv_writer`, where lines end with a line feed alone: it says why."""
    found = [path for path in PACKAGE.rglob("*.py") if "lineterminator" in path.read_text("utf-8")]
    assert not found


@pytest.mark.parametrize("room", FORBIDDEN)
def test_rooms_do_without_what_they_should(room: str) -> None:
    forbidden, sentence = FORBIDDEN[room]
    for module, code in MODULES.items():
        if room_of(module) == room:
            assert [name for name in imports(code) if matches(name, forbidden)] == [], sentence


def test_nothing_is_unpickled() -> None:
    found = {module: unsafe_reading(code) for module, code in MODULES.items()}
    assert {module: calls for module, calls in found.items() if calls} == {}


def test_everything_public_is_documented() -> None:
    own = {module: code for module, code in MODULES.items() if module.startswith("emoviz")}
    assert [name for name, code in own.items() if not ast.get_docstring(parsed(code))] == []
    found = {module: undocumented(code) for module, code in own.items()}
    assert {module: names for module, names in found.items() if names} == {}


def test_light_modules_load_neither_torch_nor_a_screen() -> None:
    """What the imports of the imports bring in, which reading one file does not show."""
    rooms = ("errors", "settings", "labels", "files", "data", "checkpoints", "inference")
    rooms = (*rooms, "analysis", "jobs", "plots", "api", "cli")
    light = [module_of(path) for path in sources() if room_of(module_of(path)) in rooms]
    code = f"""
import importlib, sys
for name in {light}:
    importlib.import_module(name)
    heavy = {{"torch", "timm", "onnxruntime", "streamlit", "sklearn", "pandas"}} & set(sys.modules)
    if heavy:
        sys.exit(f"{{name}} loads {{sorted(heavy)}}")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_the_server_answers_before_what_a_visit_needs_is_imported() -> None:
    code = "import sys, emoviz.ui.web; print({'sqlalchemy', 'emoviz.ui.shell'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "set()\n", done.stdout + done.stderr


def test_a_first_visit_waits_for_no_library_of_tables_or_networks() -> None:
    heavy = {"pandas", "pyarrow", "scipy", "sklearn", "torch", "onnxruntime"}
    code = f"import sys, emoviz.ui.web as w; w.import_all(); print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "set()\n", done.stdout + done.stderr


# The rules themselves can fail -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("emoviz.labels", "import emoviz.data.images"),
        ("emoviz.data.images", "from emoviz import checkpoints"),
        ("emoviz.analysis.x", "def f():\n    from emoviz.plots import percent"),
        ("emoviz.models.x", "if TYPE_CHECKING:\n    from emoviz.checkpoints import Card"),
        ("emoviz.plots", "from emoviz.ui.style import STYLE"),
        ("emoviz.ui.x", "import app"),
        ("emoviz", "from emoviz.labels import MIKELS8"),
    ],
)
def test_an_import_against_the_arrows_is_seen(module: str, code: str) -> None:
    assert len(against_the_arrows(module, code)) >= 1


def test_an_import_along_the_arrows_is_let_through() -> None:
    code = "import numpy\nfrom emoviz import __version__\nfrom emoviz.labels import MIKELS8"
    assert against_the_arrows("emoviz.data.images", code) == []


def test_a_circle_is_seen() -> None:
    arrows = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}
    assert circles(arrows) == [{"b", "c"}]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_streamlit_outside_the_screens_is_seen() -> None:
    code = "def f():\n    import streamlit.components.v1 as components"
    assert outside_the_screens("emoviz.plots", code)
    assert not outside_the_screens("emoviz.ui.widgets", code)
    assert not outside_the_screens("pages.predict.classify", code)


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "joblib.load(path)",
        "yaml.load(text, Loader=yaml.Loader)",
        "pd.read_pickle(path)",
    ],
)
def test_unsafe_reading_is_seen(code: str) -> None:
    assert unsafe_reading(code)


@pytest.mark.parametrize(
    "code",
    [
        "torch.load(path, weights_only=True)",
        "np.load(path)",
        "yaml.load(text, Loader=SafeLoader)",
        "json.load(stream)",
    ],
)
def test_safe_reading_is_let_through(code: str) -> None:
    assert unsafe_reading(code) == []


def test_missing_docstrings_are_seen() -> None:
    code = 'def f(): ...\nclass A:\n    """."""\n    def g(self): ...\n    def _h(self): ...'
    assert undocumented(code) == ["f", "A.g"]


# Settings --------------------------------------------------------------------------------------


def described() -> dict[str, str]:
    """Variable -> default, from the tables of docs/settings.md."""
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(EMOVIZ_\w+)` \| (.+) \| (.+) \|$", text, re.MULTILINE)
    assert all(len(meaning) > 10 for _, meaning, _ in rows)
    return {name: default.strip("`") for name, _, default in rows}


def test_every_variable_is_described() -> None:
    places = ("emoviz", "pages", "scripts", ".ci", "tests/browser", "benchmarks", ".streamlit")
    files = [path for place in places for path in (ROOT / place).rglob("*") if path.is_file()]
    used = set(variable_names().values())
    for path in [*files, ROOT / "app.py"]:
        if path.suffix in (".py", ".sh", ".toml", "") and path.exists():
            used |= set(re.findall(r"\bEMOVIZ_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8")))
    assert used == set(described())


def test_the_page_of_settings_is_made_of_the_code() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "hooks.py"))["settings_page"]()
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == made


def test_described_defaults_are_those_of_the_code() -> None:
    table, defaults = described(), Settings()
    for field, variable in variable_names().items():
        value = getattr(defaults, field)
        written = table[variable].replace("not set", "")
        if isinstance(value, Path):
            assert Path(written).expanduser() == value
        elif isinstance(value, bool):
            assert written == str(value).lower()
        else:
            assert type(value)(written) == value
