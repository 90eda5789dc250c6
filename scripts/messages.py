"""Bring the catalogues of the review pages up to date: ``python scripts/messages.py``.

Every text given to ``tr``, ``plural`` and ``marked`` in the files below, the names of emotions, the
tables of words of lower floors, and what their errors say, is put into ``lt.po``, ``de.po`` and
``fr.po`` under ``emoviz/ui/language``; what nobody says any more is taken out. New texts are there
empty, and the tests fail until they are translated.
"""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

from emoviz.inference.flags import FLAGS, MEANINGS
from emoviz.labels import TAXONOMIES
from emoviz.review.exports import FORMS
from emoviz.review.labelling import NONE
from emoviz.review.rights import RIGHTS
from emoviz.settings import PROJECT_ROOT
from emoviz.ui.language import EMOTION, ERROR, LANGUAGES

FOLDER = PROJECT_ROOT / "emoviz" / "ui" / "language"
OTHERS = tuple(name for name in LANGUAGES if name != "en")
# Files whose words are all in the catalogue.
SPOKEN = (
    "pages/review/artworks.py",
    "pages/review/collections.py",
    "pages/review/overview.py",
    "emoviz/review/exports/catalogue.py",
    "emoviz/ui/access.py",
    "emoviz/ui/background.py",
    "emoviz/ui/gallery/__init__.py",
    "emoviz/ui/language/__init__.py",
    "emoviz/ui/library/bring_in.py",
    "emoviz/ui/privacy.py",
    "emoviz/ui/problems.py",
    "emoviz/ui/shell.py",
    "emoviz/ui/stepping.py",
    "emoviz/ui/tables.py",
    "emoviz/ui/visit.py",
    "emoviz/ui/words.py",
    *sorted(
        str(file.relative_to(PROJECT_ROOT))
        for file in (PROJECT_ROOT / "emoviz" / "ui" / "review").glob("*.py")
        if file.name != "__init__.py"
    ),
)
IN_BROWSER = tuple(f"emoviz/ui/review/desk/{name}.js" for name in ("parts", "keys", "desk"))
# Files whose errors reach who reviews.
REFUSING = (
    "emoviz/data/fetch.py",
    "emoviz/data/images.py",
    "emoviz/data/importers/content_state.py",
    "emoviz/data/importers/iiif.py",
    "emoviz/data/importers/iiif_reading.py",
    "emoviz/jobs.py",
    "emoviz/review/acquire.py",
    "emoviz/review/deciding.py",
    "emoviz/review/exports/__init__.py",
    "emoviz/review/exports/iiif.py",
    "emoviz/review/exports/imagefolder.py",
    "emoviz/review/exports/wikimedia.py",
    "emoviz/review/images.py",
    "emoviz/review/labelling.py",
    "emoviz/review/people.py",
    "emoviz/review/queueing.py",
    "emoviz/ui/review/alike.py",
    "emoviz/ui/review/desk_images.py",
)
_IN_PART = (
    "emoviz/ui/card_page.py",  # what a card says itself is in English
    "emoviz/ui/wording.py",  # the rest of it is said on Classify alone
)
_THEN = datetime(2026, 1, 1, tzinfo=UTC)  # dates in the files would change with every run
_ONE, _FORMS = ("tr", "marked"), ("plural", "marked_forms")


def template() -> Catalog:
    """Every message, in English."""
    found = Catalog(fuzzy=False)
    for place in (*SPOKEN, *_IN_PART):
        for message in _said(PROJECT_ROOT / place):
            _add(found, message, place)
    for place in IN_BROWSER:
        with (PROJECT_ROOT / place).open("rb") as file:
            for _, message, _, _ in extract("javascript", file, keywords=dict.fromkeys(_ONE)):
                _add(found, message, place)
    for place, words in _tables():
        _add(found, words, place)
    names = {name for taxonomy in TAXONOMIES.values() for name in taxonomy.names}
    for name in sorted({*names, "positive", "negative", NONE}):
        _add(found, name, "emoviz/labels.py", EMOTION)
    for place in REFUSING:
        for words in _errors(PROJECT_ROOT / place):
            _add(found, words, place, ERROR)
    return found


def updated(name: str) -> Catalog:
    """The catalogue of one language as it has to be, with what was translated before."""
    file, wanted = FOLDER / f"{name}.po", template()
    made = Catalog(
        locale=name,
        fuzzy=False,
        project="emoviz",
        version="1",
        header_comment="# The words of emoviz's review pages.",
        last_translator="The emoviz authors",
        language_team=name,
        creation_date=_THEN,
        revision_date=_THEN,
    )
    before = made
    if file.exists():
        with file.open("rb") as opened:
            before = read_po(opened, locale=name)
    for row in wanted:
        if row.id:
            old = before.get(row.id if isinstance(row.id, str) else row.id[0], row.context)
            is_same = old is not None and old.id == row.id
            string = old.string if old is not None and is_same else None
            made.add(row.id, string, locations=row.locations, context=row.context)
    return made


def write(name: str, catalogue: Catalog) -> None:
    """Put a catalogue in its place, always in the same form."""
    with (FOLDER / f"{name}.po").open("wb") as file:
        write_po(file, catalogue, width=100, include_lineno=False, omit_header=False)


def _add(catalogue: Catalog, message: object, place: str, context: str | None = None) -> None:
    catalogue.add(message, locations=[(place, 0)], context=context)


def _said(file: Path) -> Iterator[str | tuple[str, str]]:
    """Texts that a file gives to the catalogue; those inside of f-strings too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            texts = [part.value for part in node.args if isinstance(part, ast.Constant)]
            if node.func.id in _ONE and texts:
                yield texts[0]
            elif node.func.id in _FORMS and len(texts) > 1:
                yield texts[0], texts[1]


def _tables() -> Iterator[tuple[str, str]]:
    for form in FORMS.values():
        yield "emoviz/review/exports/__init__.py", form.title
    for right in RIGHTS.values():
        yield "emoviz/review/rights.py", right.words
    for words in (*FLAGS.values(), *MEANINGS.values()):
        yield "emoviz/inference/flags.py", words


def _errors(file: Path) -> Iterator[str]:
    """What the errors of a file say, ``{}`` for each value, ``{error}`` for an error in them."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)):
            continue
        for given in node.exc.args[:1]:
            if isinstance(given, ast.Constant) and isinstance(given.value, str):
                yield given.value
            elif isinstance(given, ast.JoinedStr):
                yield "".join(
                    str(part.value) if isinstance(part, ast.Constant) else _place(part)
                    for part in given.values
                )


def _place(part: ast.expr) -> str:
    is_error = isinstance(part, ast.FormattedValue) and ast.unparse(part.value) == "error"
    return "{error}" if is_error else "{}"


if __name__ == "__main__":
    for language in OTHERS:
        catalogue = updated(language)
        write(language, catalogue)
        missing = sum(not row.string for row in catalogue if row.id and isinstance(row.id, str))
        print(f"{language}: {len(catalogue)} messages, {missing} not translated")
