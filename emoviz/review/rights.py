"""Who may do what: one table for all pages, actions, downloads and component messages.

Pages ask it through ``emoviz.ui.access``; ``docs/rights.md`` shows it, and a test holds that the
two agree. Without a login nobody is proven: the roles of typed names then count for the rights that
say so, and whoever sits at the machine has the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from emoviz.errors import NotAllowedError
from emoviz.review.model import ROLES, Role
from emoviz.settings import Settings

RightName = Literal[
    "look",
    "try",
    "compute",
    "decide",
    "collect",
    "prepare",
    "train",
    "keep",
    "export",
    "people",
    "paths",
]


@dataclass(frozen=True)
class Right:
    """One thing that not everybody may do.

    Attributes:
        least: The least role that has it.
        words: What it lets a person do, after "may".
        by_name: Whether, without a login, the role of a typed name counts.
    """

    least: Role
    words: str
    by_name: bool = False


RIGHTS: Mapping[RightName, Right] = {
    "look": Right(
        "viewer",
        "see the pages, the collections, sets, runs and results that are here, and take tables of "
        "what a page shows",
    ),
    "try": Right("viewer", "drop images of their own, which nobody else sees, and try the samples"),
    "compute": Right(
        "reviewer",
        "start what costs time: estimates of images that are here, maps, texture pictures, "
        "examinations, studies; stop it; read what it printed",
    ),
    "decide": Right(
        "reviewer", "decide on artworks, undo, write notes, take a share of the work", by_name=True
    ),
    "collect": Right(
        "manager",
        "bring in collections, have them estimated or fetched again, remove them",
        by_name=True,
    ),
    "prepare": Right(
        "manager",
        "bring in labelled sets and vectors, judge single images of a set, make new sets, remove "
        "sets and take that back",
    ),
    "train": Right(
        "manager",
        "start, pause, stop and resume trainings, write notes on runs, delete them and take that "
        "back",
    ),
    "keep": Right(
        "manager",
        "keep a network that was trained, take its weights, and set or forget the threshold "
        "below which it does not answer",
    ),
    "export": Right(
        "manager",
        "take home what others decided, images of a set, and make labelled sets of a review",
        by_name=True,
    ),
    "people": Right(
        "manager",
        "let people in, hand out roles, forget people, begin and lift blind review",
        by_name=True,
    ),
    "paths": Right(
        "manager", "name files and folders of the machine that emoviz runs on (see below)"
    ),
}

# What a page, by its name in the link, needs before any of it is shown.
PAGES: Mapping[str, RightName] = {
    "classify": "try",
    "textures": "try",
    "embeddings": "look",
    "centers": "look",
    "evaluate": "look",
    "compare": "look",
    "collections": "look",
    "artworks": "look",
    "overview": "look",
    "study": "look",
    "datasets": "look",
    "retrain": "train",
    "runs": "look",
}


def has(role: Role, right: RightName) -> bool:
    """Whether a role has a right, `paths` by the role alone."""
    return ROLES.index(role) >= ROLES.index(RIGHTS[right].least)


@dataclass(frozen=True)
class Identity:
    """Who somebody is, as a provider of logins proved it.

    Attributes:
        subject: Issuer and subject, with a space between them.
        email: Verified address; "" where none is proven.
        name: As others shall read it.
    """

    subject: str
    email: str
    name: str


def identity_of(claims: Mapping[str, Any]) -> Identity:
    """Read an OpenID Connect ID token's claims; what is missing or of another type gives nothing.

    Raises:
        NotAllowedError: Issuer or subject is missing.
    """
    issuer, subject = (_text(claims.get(name)) for name in ("iss", "sub"))
    if not issuer or not subject:
        raise NotAllowedError(
            "The login names no issuer (`iss`) or no subject (`sub`), so nobody can be told apart "
            "by it."
        )
    email = _text(claims.get("email")) if claims.get("email_verified") is True else ""
    name = _text(claims.get("name")) or email.partition("@")[0] or "Somebody"  # names are stored
    return Identity(f"{issuer} {subject}", email, name)


def is_manager(identity: Identity, settings: Settings) -> bool:
    """Whether the settings name this person, by verified address or by issuer and subject."""
    named = {" ".join(item.split()) for item in settings.managers.split(",")} - {""}
    by_address = {item.casefold() for item in named if " " not in item}
    return identity.subject in named or identity.email.casefold() in by_address


def checked_place(text: str, settings: Settings) -> Path:
    """A path that a person wrote, made absolute, inside the folders that the settings name.

    Raises:
        NotAllowedError: It is none, or lies outside of them once links are followed.
    """
    try:
        path = Path(text).expanduser().absolute()
        real = path.resolve()
    except (OSError, RuntimeError, ValueError):
        raise NotAllowedError("This is no path that can be used.") from None
    folders = settings.path_folders
    if folders and not any(real.is_relative_to(folder) for folder in folders):
        names = ", ".join(map(str, folders))
        raise NotAllowedError(f"Only what lies in {names} may be named here.")
    return path


def is_loopback(address: object) -> bool:
    """Whether a server that is bound to this address can be reached from its own machine alone."""
    text = str(address or "").strip("[]").casefold()
    return text in ("localhost", "::1") or text.startswith(("127.", "unix://"))


def _text(value: object) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""
