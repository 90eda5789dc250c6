"""Pages that mkdocs makes of the program itself: the verbs of its parser, the names of its API.

Run as a program it writes the table of `settings.md`, which a test holds to be current.
"""

import argparse
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

SETTINGS = Path(__file__).parent / "settings.md"
_MARKS = re.compile(r"(<!-- made by .*? -->\n).*?(\n<!-- end -->)", re.DOTALL)


def on_files(files: "Files", *, config: "MkDocsConfig") -> "Files":
    """Add ``reference/verbs.md`` and ``reference/api.md``."""
    from mkdocs.structure.files import File

    for name, text in (("verbs", verbs()), ("api", api())):
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def verbs() -> str:
    """Every verb with its options, as ``--help`` prints them."""
    from emoviz.cli import make_parser

    lines = [
        "# Verbs",
        "",
        "`emoviz VERB`, or `python -m emoviz VERB` in a checkout. Made from the program's parser.",
        "",
    ]
    for name, parser, words in _parsers(make_parser()):
        lines += [f"## {name}", "", f"{words[:1].upper()}{words[1:]}." if words else "", ""]
        lines += ["```", parser.format_help().strip(), "```", ""]
    return "\n".join(lines)


def _parsers(
    parser: argparse.ArgumentParser, before: str = ""
) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        words = {choice.dest: choice.help or "" for choice in action._choices_actions}
        for name, inner in action.choices.items():
            path = f"{before} {name}".strip()
            below = list(_parsers(inner, path))
            yield from below or [(path, inner, words.get(name, ""))]


def api() -> str:
    """Every public name of `emoviz.api` with its signature and docstring."""
    import emoviz.api

    functions = [n for n in emoviz.api.__all__ if inspect.isfunction(getattr(emoviz.api, n))]
    classes = [n for n in emoviz.api.__all__ if inspect.isclass(getattr(emoviz.api, n))]
    lines = ["# Python", "", _prose(inspect.getdoc(emoviz.api) or ""), "", "## Functions", ""]
    for name in functions:
        lines += _entry(f"emoviz.{name}", getattr(emoviz.api, name), 3)
    lines += ["## Results", ""]
    for name in classes:
        lines += _entry(name, getattr(emoviz.api, name), 3)
    return "\n".join(lines)


def _entry(name: str, thing: Any, level: int) -> list[str]:
    """Heading, signature and docstring; of a class, its public methods and properties below."""
    lines = [f"{'#' * level} {name}", ""]
    if inspect.isfunction(thing):
        lines += ["```python", f"{name}{_signature(thing)}", "```", ""]
    lines += [_prose(inspect.getdoc(thing) or ""), ""]
    for key, value in vars(thing).items() if inspect.isclass(thing) else ():
        member = getattr(value, "fget", None) or getattr(value, "func", None) or value
        if not key.startswith("_") and inspect.isfunction(member) and member.__doc__:
            lines += _entry(f"{name}.{key}", value if member is value else _Property(member), 4)
    return lines


def settings_page() -> str:
    """``settings.md`` with the table of the app's variables as the code has them."""
    from emoviz.settings import Settings, variable_names

    told = dict(
        re.findall(
            r"^    (\w+): (.+?)(?=^    \w|\Z)", _attributes(Settings), re.DOTALL | re.MULTILINE
        )
    )
    defaults = Settings(home=Path("~/.emoviz"))
    rows = ["| Variable | Meaning | Default |", "| --- | --- | --- |"]
    for name, variable in variable_names().items():
        default = _default(getattr(defaults, name))
        rows.append(f"| `{variable}` | {' '.join(told[name].split())} | {default} |")
    table = "\n".join(rows)
    return _MARKS.sub(lambda marks: f"{marks[1]}{table}{marks[2]}", SETTINGS.read_text("utf-8"))


def _attributes(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").split("Attributes:\n", 1)[1]


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{value}`" if str(value) else "not set"


class _Property:
    """A property's docstring, without a signature."""

    def __init__(self, getter: Any) -> None:
        self.__doc__ = getter.__doc__


def _signature(function: Any) -> str:
    """Arguments and what comes back, with types by their last names."""
    text = str(inspect.signature(function)).replace("'", "").replace("(self, ", "(")
    return re.sub(r"\b(?:[a-z_]\w*\.)+(?=[A-Z])", "", text).replace("(self)", "()")


def _prose(text: str) -> str:
    """A docstring as Markdown: sections bold, their entries as lists, code as code."""
    lines: list[str] = []
    in_section = False
    for line in text.replace("::\n", "\n").replace("``", "`").splitlines():
        if re.fullmatch(r"(Args|Returns|Raises|Attributes|Yields):", line):
            lines += ["", f"**{line[:-1]}**", ""]
            in_section = True
        elif in_section and re.match(r" {4}\w[\w, ]*: ", line):
            name, rest = line.strip().split(": ", 1)
            lines.append(f"- `{name}`: {rest}")
        elif in_section and line.startswith("        "):
            lines[-1] += " " + line.strip()
        elif in_section and line.strip():
            lines.append(line.strip())
        else:
            in_section = in_section and not line.strip()
            lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    SETTINGS.write_text(settings_page(), encoding="utf-8")
