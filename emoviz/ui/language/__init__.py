"""The words of the review pages in the curator's language: one gettext catalogue for all of them.

The English text is the key; ``lt.po``, ``de.po`` and ``fr.po`` beside this file hold the others,
and are read as they are, so that nothing has to be compiled. ``scripts/messages.py`` brings them up
to date after words were changed. Each session has its language: nothing here is global.

Whatever runs outside of a session (a thread, the command line) speaks English; so a thread never
makes words, it returns what they are made of.
"""

import gettext
import io
import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import streamlit as st
from babel.dates import format_date, format_time
from babel.lists import format_list
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from streamlit.runtime.scriptrunner import get_script_run_ctx

from emoviz.labels import Taxonomy
from emoviz.review.exports.spoken import Spoken
from emoviz.ui.linked import from_link, write_parameter

LANGUAGES = {"en": "English", "lt": "Lietuvių", "de": "Deutsch", "fr": "Français"}
EMOTION, ERROR = "emotion", "error"  # contexts in the catalogue
_LOCALES = {"en": "en_GB"}  # "a, b and c"
_KEY = "language"  # in the session and in the link
_ENGLISH = "page-in-english"  # in the session
_FOLDER = Path(__file__).parent
_SPOKEN = st.components.v2.component(
    "emoviz_language",
    html="<span hidden></span>\n",
    js="""
export default function ({ data }) {
  document.documentElement.lang = new TextDecoder().decode(data)
  return () => { document.documentElement.lang = "en" }
}
""",
)


def begin() -> None:
    """Settle the session's language: what the link asks for anew, what was chosen, the browser's.

    Has to come before any words of a run.
    """
    st.session_state[_ENGLISH] = False
    asked = from_link(_KEY)
    if asked in LANGUAGES:
        st.session_state[_KEY] = asked
    elif st.session_state.get(_KEY) not in LANGUAGES:
        st.session_state[_KEY] = _of_browser()


def choose() -> None:
    """The switch, whose choice is in the link."""
    chosen = st.selectbox(
        tr("Language"),
        list(LANGUAGES),
        format_func=lambda name: LANGUAGES.get(name, name),
        key=_KEY,
        persist_state="session",
        help=tr("Of the menu and the pages of Review; the other pages speak English."),
    )
    write_parameter(_KEY, "" if chosen == _of_browser() else str(chosen))


def speak(is_translated: bool) -> None:
    """From here on it is the page that speaks, in English where it is in no other language yet.

    The browser is told, for screen readers; it takes each page for English until it is.
    """
    st.session_state[_ENGLISH] = not is_translated
    if (spoken_now := language()) != "en":
        _SPOKEN(key="spoken-language", data=spoken_now.encode())  # a text would load pandas


def language() -> str:
    """What is spoken now in this session: one of `LANGUAGES`."""
    if get_script_run_ctx(suppress_warning=True) is None or st.session_state.get(_ENGLISH):
        return "en"
    chosen = st.session_state.get(_KEY, "en")
    return chosen if chosen in LANGUAGES else "en"


def tr(text: str, /, **values: object) -> str:
    """A text in the session's language, its ``{names}`` filled in."""
    found = catalogue(language()).gettext(text)
    return found.format(**values) if values else found


def plural(one: str, many: str, count: int, /, **values: object) -> str:
    """As `tr`, in the form that `count` wants; ``{count}`` is that number as people write it."""
    found = catalogue(language()).ngettext(one, many, count)
    return found.format(count=number(count), **values)


def spoken(name: str = "") -> Spoken:
    """The language of an export for people: the session's, or that of the name."""
    name = name or language()
    found = catalogue(name)

    def say(text: str, /, **values: object) -> str:
        words = found.gettext(text)
        return words.format(**values) if values else words

    return Spoken(
        name,
        say,
        lambda emotion: found.pgettext(EMOTION, emotion),
        lambda value: format_decimal(value, locale=_LOCALES.get(name, name)),
    )


def marked(text: str) -> str:
    """The text itself, put into the catalogue: for tables of words that `tr` reads later."""
    return text


def marked_forms(one: str, many: str) -> tuple[str, str]:
    """As `marked`, for `plural`."""
    return one, many


def translated(error: BaseException | str) -> str:
    """What an error says, in the session's language where the catalogue has it.

    Errors come from floors that know of no language, with their values filled in: the catalogue has
    them as they are written there, ``{}`` for each value, which stays as it is (a title may read
    like an error), and ``{error}`` for one that is an error itself.
    """
    said = str(error)
    chosen = language()
    if chosen == "en":
        return said
    for pattern, fields, form in _errors(chosen):
        if found := pattern.fullmatch(said):
            parts = list(zip(fields, found.groups(), strict=True))
            inner = {field: translated(text) for field, text in parts if field}
            return form.format(*(text for field, text in parts if not field), **inner)
    return said


def emotion(name: str) -> str:
    """The name of an emotion or sentiment on the screen; one of somebody's own stays as it is."""
    return catalogue(language()).pgettext(EMOTION, name)


def emotions(taxonomy: Taxonomy) -> dict[str, str]:
    """Ids of a taxonomy's classes -> what stands on the screen."""
    return {name: emotion(name) for name in taxonomy.names}


def number(value: float, digits: int | None = None) -> str:
    """A number as people of this language write it, with `digits` after the sign where given."""
    if digits is None:
        return format_decimal(value, locale=_locale())
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    return format_decimal(round(value, digits) + 0.0, pattern, locale=_locale())  # never "-0.00"


def moment(value: datetime) -> str:
    """Day and minute."""
    day = format_date(value, "long", locale=_locale())
    return f"{day}, {format_time(value, 'short', locale=_locale())}"


def listed(words: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return format_list([word for word in words if word], locale=_locale())


def messages(of: str) -> dict[str, str]:
    """English -> the session's language, of the words in a file that runs in the browser.

    Args:
        of: Name of the ``.js`` file; nothing for English.
    """
    chosen = language()
    return {} if chosen == "en" else _by_file(chosen, of)


@lru_cache
def catalogue(name: str) -> gettext.NullTranslations:
    """Of one language; English is the text itself."""
    if name == "en":
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, _po(name))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@lru_cache
def _po(name: str) -> Catalog:
    with (_FOLDER / f"{name}.po").open("rb") as file:
        return read_po(file, locale=name)


@lru_cache
def _by_file(name: str, of: str) -> dict[str, str]:
    return {
        str(row.id): str(row.string)
        for row in _po(name)
        if any(place.endswith(of) for place, _ in row.locations)
    }


@lru_cache
def _errors(name: str) -> tuple[tuple[re.Pattern[str], list[str], str], ...]:
    """What an error looks like, its places' names, how it is said; most words of its own first."""
    found = []
    for row in _po(name):
        if row.context == ERROR and row.string:
            words = re.split("{.*?}", str(row.id))
            pattern = re.compile("(.*?)".join(map(re.escape, words)), re.DOTALL)
            fields = re.findall("{(.*?)}", str(row.id))
            found.append((-len("".join(words)), pattern, fields, str(row.string)))
    found.sort(key=lambda row: row[0])
    return tuple(row[1:] for row in found)


def _locale() -> str:
    chosen = language()
    return _LOCALES.get(chosen, chosen)


def _of_browser() -> str:
    """What the browser asks for, where it is one of ours."""
    asked = str(getattr(st.context, "locale", None) or "en").partition("-")[0].casefold()
    return asked if asked in LANGUAGES else "en"
