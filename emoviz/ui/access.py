"""The one door for rights: who is at the screen, and whether they may do what they ask for.

``visit`` asks it before any page; a function that changes something, starts a job or gives out
what others made is marked with `acts` or `offers`, and a test finds those that are not. The store
is asked each time, for callbacks of a page and its fragments run without ``visit``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from emoviz.errors import EmovizError, NotAllowedError
from emoviz.review import Reviewer, Role, open_store
from emoviz.review.rights import (
    PAGES,
    RIGHTS,
    RightName,
    checked_place,
    has,
    identity_of,
    is_loopback,
    is_manager,
)
from emoviz.settings import Settings, load_settings
from emoviz.ui.language import tr
from emoviz.ui.words import readable

NAME = "reviewer"  # in the session: the name that was typed
LONGEST = 60
_FIRST = "classify"  # the page that stands at "/"
_FORWARDED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Forwarded")
Given = ParamSpec("Given")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Person:
    """Who is at the screen.

    Attributes:
        role: What they may do; ``waiting`` for nobody known.
        reviewer: In the review store; None for whoever works at this machine without a name.
        reason: Why nobody is known; "" where somebody is.
    """

    role: Role
    reviewer: Reviewer | None = None
    reason: str = ""


def login_is_set_up() -> bool:
    """Whether ``secrets.toml`` names a provider of logins."""
    try:
        return "auth" in st.secrets
    except FileNotFoundError:  # no such file: nobody set anything up
        return False


def person(settings: Settings) -> Person:
    """Who is here: by a login where one is set up, else by the name that was typed."""
    if not login_is_set_up():
        name = str(st.session_state.get(NAME, ""))
        known = next((p for p in _people(settings) if p.name == name), None) if name else None
        return Person("manager" if known is None else known.role, known)
    if getattr(st.user, "is_logged_in", False) is not True:
        return Person("waiting", reason=tr("Please sign in."))
    try:
        found = entered(st.user.to_dict(), settings)
    except EmovizError as error:
        return Person("waiting", reason=str(error))
    reason = tr("A manager has to let you in first.") if found.role == "waiting" else ""
    return Person(found.role, found, reason)


def signed_in(settings: Settings) -> str:
    """Who is here by a login, as the store numbers them; "" where nobody signs in."""
    found = person(settings).reviewer if login_is_set_up() else None
    return str(found.id) if found is not None else ""


def entered(claims: Mapping[str, Any], settings: Settings) -> Reviewer:
    """The person of a login, as the store knows them at this moment.

    Raises:
        NotAllowedError: The claims tell nobody apart.
        ReviewError: The store cannot be asked.
    """
    who = identity_of(claims)
    manages = is_manager(who, settings)
    return open_store(settings).login(who.subject, readable(who.name)[:LONGEST], manages)


def allowed(right: RightName) -> bool:
    """Whether the person at the screen has a right, as the store says at this moment."""
    settings = load_settings()
    if right == "paths" and not _paths_are_open(settings):
        return False
    if not login_is_set_up() and not RIGHTS[right].by_name:
        return True
    return has(person(settings).role, right)


def run(page: StreamlitPage) -> None:
    """Run a page for those who may see it; others are told what it needs."""
    needed = PAGES[page.url_path or _FIRST]
    if allowed(needed):
        page.run()
        return
    st.title(page.title, anchor=False)
    st.info(
        tr(
            "This page is for those who may {right}. A manager can give you another role, under "
            "their own name on the pages of Review.",
            right=tr(RIGHTS[needed].words),
        ),
        icon=":material/lock:",
    )


def acts(
    right: RightName,
) -> Callable[[Callable[Given, Result]], Callable[Given, Result | None]]:
    """Mark a function that does something: without the right it does nothing and says so."""
    return _marked(
        right,
        lambda: st.toast(tr("You may not {right}.", right=_short(right)), icon=":material/lock:"),
    )


def offers(
    right: RightName,
) -> Callable[[Callable[Given, Result]], Callable[Given, Result | None]]:
    """Mark a function that draws what only some may use: to others it draws nothing."""
    return _marked(right, lambda: None)


def place(text: str, settings: Settings) -> Path:
    """A path of this machine that a person wrote.

    Raises:
        NotAllowedError: They may not name paths, or not this one.
    """
    if not allowed("paths"):
        raise NotAllowedError("Files and folders of the machine cannot be named here.")
    return checked_place(text, settings)


def any_path(settings: Settings) -> bool:
    """Whether every path may be named, so that a table that somebody sends may name them too."""
    return allowed("paths") and not settings.path_folders


def explain_no_paths() -> None:
    """Where a path could be written, for those who may write none."""
    st.caption(
        ":material/lock: "
        + tr(
            "Files and folders of the machine that emoviz runs on cannot be named here. Whoever "
            "installed it can open folders for that."
        )
    )


def _marked(
    right: RightName, refuse: Callable[[], object]
) -> Callable[[Callable[Given, Result]], Callable[Given, Result | None]]:
    def mark(function: Callable[Given, Result]) -> Callable[Given, Result | None]:
        @wraps(function)
        def guarded(*args: Given.args, **options: Given.kwargs) -> Result | None:
            if allowed(right):
                return function(*args, **options)
            refuse()
            return None

        return guarded

    return mark


def _short(right: RightName) -> str:
    """What was refused, in so many words as a toast has room for."""
    words = tr(RIGHTS[right].words)
    return words.partition(";")[0].partition(" (")[0]


def _people(settings: Settings) -> list[Reviewer]:
    try:
        return open_store(settings).reviewers()
    except EmovizError:  # told where decisions are kept
        return []


def _paths_are_open(settings: Settings) -> bool:
    """Any path where one person works at their machine; else those that a setting names, after a
    login alone: on a network without one, whoever comes by could read them."""
    if not login_is_set_up():
        return is_loopback(st.get_option("server.address")) and not _is_forwarded()
    return bool(settings.path_folders)


def _is_forwarded() -> bool:
    """Whether a proxy passed the visitor on: then loopback says nothing of where they are."""
    return any(st.context.headers.get(name) for name in _FORWARDED)
