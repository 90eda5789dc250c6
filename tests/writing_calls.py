"""Which functions of the pages write, as their source says: through whatever they call below."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from emoviz.settings import PROJECT_ROOT

# Where writing begins: by name of an attribute, or by the whole name of a function.
_ATTRIBUTES = {".writing", ".rmtree", ".unlink", ".Popen", ".write_bytes", ".touch", ".mkdir"}
_FILES = {
    f"emoviz.files.{name}"
    for name in ("replaced_file", "replaced_folder", "write_text", "write_json")
}
# Methods that write: the review store's, and a job's; but those whose names mean other things, too.
_OWNERS = ("emoviz.review.", "emoviz.jobs.Job.")
_COMMON = {".reviewer", ".write", ".load", ".one"}
_ASKS = ("access.acts", "access.offers")


@dataclass
class Function:
    """One function: what it names, and what follows.

    Attributes:
        names: Whole names of functions that it may call, and attributes with a dot before them.
        is_method: Whether it stands in a class.
        asks: Whether it is marked with a right, or asks for one by itself.
        writes: Whether it, or what it calls below the pages, writes.
    """

    names: set[str] = field(default_factory=set)
    is_method: bool = False
    asks: bool = False
    writes: bool = False


Code = dict[str, Function]


def functions_of_the_pages(more: Mapping[str, str] | None = None) -> Code:
    """Every function of ``emoviz/ui``, and those of further modules given as source."""
    writers = WRITERS()
    owned = (name for name in writers if name.startswith(_OWNERS) and _below()[name].is_method)
    methods = {f".{name.rpartition('.')[2]}" for name in owned}
    found, _ = _read({**_sources(True), **(more or {})})
    aliases = _aliases()
    for item in found.values():
        names = {aliases.get(name, name) for name in item.names}
        item.writes = bool(
            names & (writers | _FILES) or item.names & (_ATTRIBUTES | methods - _COMMON)
        )
    return {name: item for name, item in found.items() if name.startswith("emoviz.ui")}


@lru_cache
def WRITERS() -> frozenset[str]:  # noqa: N802 - a constant that takes a moment
    """Whole names of all functions below the pages that write."""
    code, aliases = _below(), _aliases()
    found: set[str] = set()
    while True:
        more = {
            name
            for name, item in code.items()
            if name not in found
            and (
                item.names & _ATTRIBUTES
                or {aliases.get(n, n) for n in item.names} & (found | _FILES)
            )
        }
        if not more:
            return frozenset(found)
        found |= more


@lru_cache
def _below() -> Code:
    return _read(_sources(False))[0]


@lru_cache
def _aliases() -> dict[str, str]:
    """Name under which a module passes a function on -> where it stands."""
    found = _read({**_sources(False), **_sources(True)})[1]
    whole = dict(found)
    for name, target in found.items():
        seen = {name}
        while target in found and target not in seen:
            seen.add(target)
            target = found[target]
        whole[name] = target
    return whole


def _sources(pages: bool) -> dict[str, str]:
    found = {}
    for path in (PROJECT_ROOT / "emoviz").rglob("*.py"):
        parts = path.relative_to(PROJECT_ROOT).with_suffix("").parts
        if parts[1] == "cli" or (parts[1] == "ui") is not pages:
            continue
        name = ".".join(parts).removesuffix(".__init__")
        found[name] = path.read_text(encoding="utf-8")
    return found


def _read(sources: Mapping[str, str]) -> tuple[Code, dict[str, str]]:
    code: Code = {}
    aliases: dict[str, str] = {}
    for module, source in sources.items():
        tree = ast.parse(source)
        imported = _imported(tree)
        aliases |= {f"{module}.{name}": target for name, target in imported.items()}
        _collect(tree, module, module, imported, code, False)
    return code, aliases


def _imported(tree: ast.AST) -> dict[str, str]:
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("emoviz"):
            found |= {item.asname or item.name: f"{node.module}.{item.name}" for item in node.names}
    return found


def _collect(
    scope: ast.AST, module: str, prefix: str, imported: Mapping[str, str], code: Code, inside: bool
) -> None:
    for node in getattr(scope, "body", []):
        if isinstance(node, ast.ClassDef):
            _collect(node, module, f"{prefix}.{node.name}", imported, code, True)
        elif isinstance(node, ast.FunctionDef):
            item = Function(is_method=inside)
            for part in ast.walk(node):
                if isinstance(part, ast.Name):
                    item.names.add(imported.get(part.id, f"{module}.{part.id}"))
                elif isinstance(part, ast.Attribute):
                    owner = part.value.id if isinstance(part.value, ast.Name) else ""
                    name = (
                        f"{imported[owner]}.{part.attr}" if owner in imported else f".{part.attr}"
                    )
                    item.names.add(name)
                    if owner == "self":
                        item.names.add(f"{prefix}.{part.attr}")
            marks = [ast.unparse(mark) for mark in node.decorator_list]
            item.asks = any(mark.startswith(_ASKS) for mark in marks) or (
                "access.allowed(" in ast.unparse(node)
            )
            code[f"{prefix}.{node.name}"] = item
