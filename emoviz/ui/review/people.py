"""Who is here, and what they may do: a name at first, a login where one is set up.

A name is asked for once and remembered by the browser; it says who decided, it proves nothing.
Proof comes from OpenID Connect: with a section ``[auth]`` in ``.streamlit/secrets.toml`` every page
asks for a login instead (docs/reviewing.md says how).
"""

import shutil
from collections.abc import Callable
from urllib.parse import quote, unquote

import streamlit as st

from emoviz.errors import EmovizError
from emoviz.review import ROLES, Reviewer, ReviewStore, Role
from emoviz.settings import Settings, load_settings
from emoviz.ui import access
from emoviz.ui.access import LONGEST, NAME, login_is_set_up
from emoviz.ui.language import marked, tr
from emoviz.ui.words import plain, readable, told

_COOKIE, _ASKED = "emoviz_reviewer", "reviewer-asked"
ROLE_WORDS: dict[Role, str] = {
    "waiting": marked("waits to be let in"),
    "viewer": marked("looks only"),
    "reviewer": marked("decides"),
    "manager": marked("decides and manages"),
}
_REMEMBER = st.components.v2.component(
    "emoviz_remember",
    html="<span hidden></span>\n",
    js="""
export default function ({ data }) {
  const year = data ? 31536000 : 0
  document.cookie = `emoviz_reviewer=${data ?? ""}; max-age=${year}; path=/; samesite=strict`
}
""",
)


def admitted(settings: Settings) -> bool:
    """Whether whoever is here may see anything at all; else the page says what to do."""
    if not login_is_set_up():
        return True
    here = access.person(settings)
    if here.role != "waiting":
        return True
    st.title("emoviz", anchor=False)
    st.info(plain(here.reason), icon=":material/lock:")
    if getattr(st.user, "is_logged_in", False) is True:
        st.button(tr("Sign out"), icon=":material/logout:", on_click=st.logout)
    else:
        st.button(tr("Sign in"), icon=":material/login:", type="primary", on_click=st.login)
    return False


def who(store: ReviewStore, settings: Settings) -> Reviewer | None:
    """The person at the screen; None while the page asks, which it then does."""
    if login_is_set_up():
        return access.person(settings).reviewer
    name = st.session_state.get(NAME) or _remembered()
    found = _named(store, name) if name and not st.session_state.get(_ASKED) else None
    if found is None:
        _ask(store, name)
        return None
    st.session_state[NAME] = found.name
    _REMEMBER(key="remember", data=quote(found.name))
    return found


def badge(reviewer: Reviewer, store: ReviewStore, share: Callable[[], None] | None = None) -> None:
    """Who one is, a way to be somebody else, one's share, and for managers everybody's role."""
    with st.popover(plain(reviewer.name), icon=":material/person:", help=tr("Who reviews here")):
        st.markdown(
            tr(
                "You are **{name}**, who {role}.",
                name=plain(reviewer.name),
                role=tr(ROLE_WORDS[reviewer.role]),
            )
        )
        if login_is_set_up():
            st.button(tr("Sign out"), icon=":material/logout:", on_click=st.logout)
        else:
            st.button(tr("Somebody else"), icon=":material/switch_account:", on_click=_ask_again)
        if share is not None:
            share()
        _forget_me(reviewer, store)
        _roles(reviewer, store)


def explain_no_right(reviewer: Reviewer) -> None:
    """What somebody who only looks is told instead of the desk."""
    st.info(
        tr(
            "{name} may look at collections but not decide. A manager can change that under their "
            "own name, at the top of this page.",
            name=plain(reviewer.name),
        ),
        icon=":material/visibility:",
    )


def _remembered() -> str:
    """What the browser remembers from last time."""
    kept = st.context.cookies.get(_COOKIE, "")
    return readable(unquote(kept))[:LONGEST].strip() if isinstance(kept, str) else ""


def _named(store: ReviewStore, name: str) -> Reviewer | None:
    try:
        return store.reviewer(name)
    except EmovizError as error:
        st.session_state.pop(NAME, None)
        st.warning(told(error), icon=":material/error:")
        return None


def _ask(store: ReviewStore, name: str) -> None:
    with st.form("who", width=460):
        st.markdown(
            tr("**Who is reviewing?** Every decision is kept with the name of who made it.")
        )
        st.text_input(
            tr("Your name"),
            value=name,
            max_chars=LONGEST,
            key="who-name",
            placeholder="Ona Petraitė",
            help=tr(
                "Remembered by this browser. Write it as last time, so that your decisions stay "
                "together."
            ),
        )
        st.form_submit_button(tr("Go on"), type="primary", on_click=_take_name)
    known = [item.name for item in store.reviewers() if not item.subject]
    if known:
        names = ", ".join(plain(item) for item in known[:12])
        st.caption(tr("Already here: {names}", names=names))


def _take_name() -> None:
    name = readable(str(st.session_state.get("who-name", ""))).strip()[:LONGEST]
    if name:
        st.session_state[NAME] = name
        st.session_state.pop(_ASKED, None)


def _ask_again() -> None:
    st.session_state[_ASKED] = True


def _forget_me(reviewer: Reviewer, store: ReviewStore) -> None:
    with st.expander(tr("Forget me")):
        st.markdown(
            tr(
                "Your name, login, notes and shares of the work are removed, and exports that lie "
                "on this machine. What was taken home and backups still hold what they held."
            )
        )
        too = st.checkbox(tr("My decisions, too"), key="forget-decisions")
        st.button(
            tr("Forget me now"),
            key="forget-me",
            icon=":material/delete_forever:",
            on_click=_forget,
            args=(store, reviewer, too),
        )


def _forget(store: ReviewStore, reviewer: Reviewer, decisions_too: bool) -> None:
    """The person at the screen, whoever the page was drawn for."""
    settings = load_settings()
    here = access.person(settings).reviewer
    if here is None or here.id != reviewer.id:
        return
    try:
        store.forget(here.id, here.id, decisions_too)
    except EmovizError as error:
        st.toast(told(error), icon=":material/error:")
        return
    shutil.rmtree(settings.home / "exports", ignore_errors=True)  # they name who decided
    st.session_state.clear()
    _ask_again()


@access.offers("people")
def _roles(reviewer: Reviewer, store: ReviewStore) -> None:
    others = [item for item in store.reviewers() if item.id != reviewer.id]
    if not others:
        return
    st.markdown(f"**{tr('What others may do')}**")
    for other in others:
        roles = [role for role in ROLES if role == other.role or _may_become(other, role)]
        st.selectbox(
            plain(other.name),
            roles,
            index=roles.index(other.role),
            format_func=lambda role: tr(ROLE_WORDS[role]),
            key=f"role-{other.id}",
            on_change=_set_role,
            args=(store, reviewer, other),
        )


def _may_become(other: Reviewer, role: Role) -> bool:
    """Who logs in is let in and manages by the settings; a typed name is in, whatever it is."""
    return role != ("manager" if other.subject else "waiting")


@access.acts("people")
def _set_role(store: ReviewStore, reviewer: Reviewer, other: Reviewer) -> None:
    try:
        store.set_role(other.id, st.session_state[f"role-{other.id}"], by=reviewer.id)
    except EmovizError as error:
        st.toast(told(error), icon=":material/error:")
