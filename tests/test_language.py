"""The words of the review pages: all in the catalogue, and whole in every language."""

import ast
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from streamlit.testing.v1 import AppTest
from test_page_artworks import FakeDesk, desk, gallery, healthy, open_page

from emoviz.review import open_store
from emoviz.review.exports import export
from emoviz.settings import PROJECT_ROOT, Settings
from emoviz.ui import language
from emoviz.ui.shell import STATEMENTS
from emoviz.ui.words import told

sys.path.insert(0, str(PROJECT_ROOT / "scripts"))
import messages

__all__ = ["desk", "gallery"]  # fixtures

# What stands in those files for machines: paths, keys, styles, names that are the same everywhere.
_FOR_MACHINES = re.compile(
    r"[\W\d_]*"  # no letter at all
    r"|[a-z0-9_.:/#*=-]+"  # one word without capitals: a key
    r"|:material/\w+:|https?:\S*|\S+\.(py|js|css|json|md|safetensors|html|zip)|pages/\S+"
    r"|.*(</?\w|\{ |document\.|export default|data-testid|role=|class=).*"
    r"|en_GB|C[cs]|, n =|- emoviz|About|Left|Right|(target|\" (width|height))=.*|%d %%"
    r"|IIIF|WikiArt Emotions|Ona Petraitė|emoviz.*|property = P.*|X-[\w-]+|Forwarded|EVOKED|[ABD-Z]"
    r"|default-src .*|.*src=\"data:.*"
    r"|LANCZOS|JPEG|RGB|Lietuvių|Deutsch|Français|English|utf-8",
    re.DOTALL,
)
_GIVEN = ("tr", "plural", "marked", "marked_forms")
_NO_WORDS = ("component", "compile", "TypeVar", "ParamSpec", "save", "category", "normalize")


def _outside(file: Path) -> Iterator[str]:
    """Texts of a Python file that look as if people read them and are in no catalogue."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            skipped.add(body[0].value)  # a docstring
        if isinstance(node, ast.Call):
            name = (
                node.func.attr
                if isinstance(node.func, ast.Attribute)
                else getattr(node.func, "id", "")
            )
            if name in (*_GIVEN, *_NO_WORDS):
                skipped |= {inner for part in node.args for inner in ast.walk(part)}
        for part in (getattr(node, "annotation", None), getattr(node, "format_spec", None)):
            skipped |= set(ast.walk(part)) if part is not None else set()
        if isinstance(node, ast.Raise | ast.Subscript):
            skipped |= set(ast.walk(node))  # what errors say is taken from there by itself
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and node not in skipped and not _FOR_MACHINES.fullmatch(node.value.strip()):
            yield f"{file.name}:{node.lineno}: {node.value[:60]!r}"


@pytest.mark.parametrize("place", messages.SPOKEN)
def test_no_words_stand_outside_of_the_catalogue(place: str) -> None:
    assert list(_outside(PROJECT_ROOT / place)) == []


def test_words_outside_of_the_catalogue_are_found(tmp_path: Path) -> None:
    file = tmp_path / "page.py"
    file.write_text('st.button("Leave it")\nst.write(f"{n} works left")\nst.write(tr("Known"))\n')
    assert [row.partition(" ")[2] for row in _outside(file)] == ["'Leave it'", "' works left'"]


@pytest.mark.parametrize("place", messages.IN_BROWSER)
def test_no_words_of_the_desk_stand_outside_of_the_catalogue(place: str) -> None:
    source = (PROJECT_ROOT / place).read_text(encoding="utf-8")
    assert list(_outside_in_browser(source)) == []


def _outside_in_browser(source: str) -> Iterator[str]:
    """Texts of a file for the browser that people would read, and that no `tr` brings."""
    keys = "Escape|Enter|Tab|AltGraph"
    known = rf"{keys}|currentColor|chips barred|frame waits|dialog\[open\].*|button, a, .*"
    for found in re.finditer(r'//.*|"((?:\\.|[^"\\])*)"|`((?:\\.|[^`\\])*)`', source):
        given = re.search(r"\b(tr|marked)\(\s*$", source[: found.start()])
        text = re.sub(r"\$\{[^}]*\}", "", found[1] or found[2] or "")
        if not given and re.search("[A-Z][a-z]|[a-z] [a-z]", text) and not re.match(known, text):
            yield text


def test_words_of_the_desk_outside_of_the_catalogue_are_found() -> None:
    source = 'make("p", "", "Leave it") // "Not this"\nmake("p", tr("Known"), `${n} works left`)'
    assert list(_outside_in_browser(source)) == ["Leave it", " works left"]


def test_who_reviews_needs_no_word_of_the_trade() -> None:
    trade = r"checkpoint|logit|backbone|nearest in u|stage \d|onnx|\bgram\b|softmax|embedding[^s]"
    said = [str(row.id) for row in messages.template() if row.id]
    assert [text for text in said if re.search(trade, text, re.IGNORECASE)] == []


@pytest.mark.parametrize("name", messages.OTHERS)
class TestEachLanguage:
    def test_it_has_every_message_and_no_other(self, name: str) -> None:
        known = {(row.context, row.id) for row in _read(name) if row.id}
        wanted = {(row.context, row.id) for row in messages.template() if row.id}
        assert known == wanted, "run scripts/messages.py and translate what is empty"

    def test_nothing_is_empty_or_doubtful(self, name: str) -> None:
        assert [
            row.id for row in _read(name) if row.id and (row.fuzzy or not all(_texts(row)))
        ] == []

    def test_names_and_markup_are_those_of_the_english(self, name: str) -> None:
        wrong = [row.id for row in _read(name) if row.id and not _fits(row)]
        assert wrong == []

    def test_every_plural_has_all_its_forms(self, name: str) -> None:
        catalogue = _read(name)
        rows = [row for row in catalogue if isinstance(row.id, tuple)]
        assert rows
        assert {len(row.string) for row in rows} == {catalogue.num_plurals}


def _read(name: str) -> Catalog:
    with (messages.FOLDER / f"{name}.po").open("rb") as file:
        return read_po(file, locale=name)


def _texts(row: Message) -> tuple[str, ...]:
    return (row.string,) if isinstance(row.string, str) else tuple(row.string)


def _fits(row: Message) -> bool:
    """Whether the values that are filled in, and the marks of bold type, are the same."""
    english = row.id if isinstance(row.id, str) else row.id[1]
    return all(
        _fields(text) == _fields(english)
        and text.count("**") == english.count("**")
        and text.count("<b>") == english.count("<b>") == text.count("</b>")
        and text[-1:].isspace() == english[-1:].isspace()
        for text in _texts(row)
    )


def _fields(text: str) -> list[str]:
    return sorted(str(name) for _, name, _, _ in Formatter().parse(text) if name is not None)


@pytest.mark.parametrize(
    ("name", "forms"),
    [
        ("lt", {1: "1 kūrinys", 2: "2 kūriniai", 10: "10 kūrinių", 21: "21 kūrinys"}),
        ("de", {1: "1 Kunstwerk", 2: "2 Kunstwerke", 1234: "1.234 Kunstwerke"}),
        ("fr", {0: "0 œuvre", 1: "1 œuvre", 2: "2 œuvres"}),
        ("en", {0: "0 artworks", 1: "1 artwork", 1234: "1,234 artworks"}),
    ],
)
def test_plurals_and_numbers_are_those_of_the_language(
    name: str, forms: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language, "language", lambda: name)
    said = {count: language.plural("{count} artwork", "{count} artworks", count) for count in forms}
    assert said == forms


def test_dates_decimals_and_lists_are_those_of_the_language(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(language, "language", lambda: "de")
    assert language.number(0.625, 2).startswith("0,6")
    assert language.number(-0.001, 2) == "0,00"
    assert language.moment(datetime(2026, 3, 1, 14, 5)) == "1. März 2026, 14:05"
    assert language.listed(["Angst", "Wut", "Ekel"]) == "Angst, Wut und Ekel"
    monkeypatch.setattr(language, "language", lambda: "lt")
    assert language.emotion("fear") == "baimė"
    assert language.emotion("my own emotion") == "my own emotion"


def test_an_error_of_a_lower_floor_is_told_in_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "language", lambda: "de")
    assert told(ValueError("There is no collection 'a (b)'.")).startswith("Es gibt keine Sammlung")
    assert "a \\(b\\)" in told(ValueError("There is no collection 'a (b)'."))
    assert told(ValueError("Something else")) == "Something else"
    title = "There is no collection 'there is no such file'."  # a title that reads like an error
    assert "there is no such file" in language.translated(title)
    page = "'https://a.example': it is a web page, not a IIIF manifest."
    assert language.translated(page).endswith("es ist eine Webseite, kein IIIF-Manifest.")


class _Marks:
    """Stands in for a language: every text of the catalogue comes back between marks."""

    def gettext(self, text: str) -> str:
        return f"⟦{text}⟧"

    def pgettext(self, context: str, text: str) -> str:
        return f"⟦{text}⟧"

    def ngettext(self, one: str, many: str, count: int) -> str:
        return f"⟦{one if count == 1 else many}⟧"


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "catalogue", lambda name: _Marks())


@pytest.mark.parametrize("page", ["artworks", "overview", "collections"])
def test_what_a_page_shows_comes_from_the_catalogue(
    page: str, gallery: str, desk: FakeDesk, marked: None, settings: Settings
) -> None:
    app = open_page(page, review=gallery)
    bare = [text for text in _shown(app) if "⟦" not in text and re.search(r"[A-Za-z]{3}", text)]
    assert [text for text in bare if not _is_foreign(text)] == []
    for header in desk.headers:
        told = [header["end"], header["progress"]["words"], header["works"][0]["estimate"]]
        told += [row["label"] for row in header["emotions"]]
        assert all("⟦" in text for text in told)


def _shown(app: AppTest) -> Iterator[str]:
    kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "error", "button")
    kinds += ("selectbox", "text_input", "toggle", "checkbox", "number_input", "slider", "expander")
    for element in (element for kind in kinds for element in app.get(kind)):
        yield str(getattr(element, "label", "") or getattr(element, "value", ""))


def _is_foreign(text: str) -> bool:
    """Titles, names and addresses, which are nobody's to translate."""
    return any(word in text for word in ("script", "Ona", "tiny", "Tiny", "https://"))


def test_the_link_chooses_the_language_and_the_browser_hears_it(
    gallery: str, desk: FakeDesk, settings: Settings
) -> None:
    app = open_page(review=gallery, language="lt")
    assert app.title[0].value == "Kokias emocijas sukelia šie kūriniai?"
    header = desk.headers[-1]
    assert header["language"] == "lt"
    assert header["messages"]["Save"] == "Išsaugoti"
    assert header["emotions"][0]["name"] == "amusement"
    assert header["emotions"][0]["label"] == "linksmumas"
    assert header["progress"]["words"] == "0 iš 6 nuspręsta"
    english = open_page(review=gallery)
    assert english.title[0].value == "Which emotions do these artworks evoke?"
    assert desk.headers[-1]["messages"] == {}


def test_a_page_of_researchers_stays_english(gallery: str) -> None:
    app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=90)
    app.query_params["language"] = "de"
    healthy(app.run())
    assert app.title[0].value.startswith("Which")
    assert [box.label for box in app.sidebar.selectbox] == ["Netz", "Sprache"]


def test_decisions_keep_the_english_names(gallery: str, desk: FakeDesk, settings: Settings) -> None:
    open_page(review=gallery, language="fr")
    store = open_store(settings)
    names = {item["name"] for item in desk.headers[-1]["emotions"]}
    taxonomy: Any = store.estimate_sets(store.collections()[0].id)[0].taxonomy
    assert names == set(taxonomy.names)


@pytest.mark.parametrize("name", messages.OTHERS)
@pytest.mark.parametrize("statement", STATEMENTS)
def test_statements_are_whole_in_every_language(name: str, statement: str) -> None:
    english, own = (
        (PROJECT_ROOT / "docs" / folder / f"{statement}.md").read_text(encoding="utf-8")
        for folder in ("", name)
    )
    if statement == "glossary":  # its other words are those of pages that speak English
        english = english.partition("## For those who measure")[0]
    for sign in ("# ", "## ", "| ", "- "):
        wanted, found = (
            sum(line.startswith(sign) for line in text.splitlines()) for text in (english, own)
        )
        assert found == wanted, sign


def test_a_catalogue_to_print_speaks_the_language(
    gallery: str, settings: Settings, tmp_path: Path
) -> None:
    store = open_store(settings)
    collection = store.collections()[0]
    pages = {}
    for name in ("en", "de"):
        out = tmp_path / f"{name}.html"
        export(store, settings, collection, "html", out, spoken=language.spoken(name))
        pages[name] = out.read_text(encoding="utf-8")
    assert '<html lang="de">' in pages["de"]
    for english, german in (("Summary", "Zusammenfassung"), ("not decided yet", "noch nicht")):
        assert english in pages["en"]
        assert english not in pages["de"]
        assert german in pages["de"]
