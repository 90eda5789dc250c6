"""The one form that brings things in: where it is, what it shall be called, a button; what became
of it.

A page says in a `BringInForm` which ways it takes and what it does with what a person points at.
What was written stays until it is in, so that a failure costs one correction; what was found and
not taken, how the place was read and the other reading stand below.
"""

import hashlib
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import streamlit as st
from streamlit.typing import UploadedFile

from emoviz import jobs
from emoviz.data.library import find_set, list_sets
from emoviz.errors import EmovizError, FetchError
from emoviz.files import replaced_file
from emoviz.review.rights import RightName
from emoviz.settings import Settings
from emoviz.ui import access, background
from emoviz.ui.language import marked, tr, translated
from emoviz.ui.linked import told_apart, write_parameter
from emoviz.ui.problems import show_problems
from emoviz.ui.words import plain, readable

Way = Literal["address", "path", "file", "set"]
ADDING = "adding"  # in the link: what is being brought in, or was and failed
_WAYS: Mapping[Way, str] = {
    "address": marked("A museum's IIIF address"),
    "path": marked("On this machine"),
    "file": marked("A file from your computer"),
    "set": marked("A set of the library"),
}
_MISSING: Mapping[Way, str] = {
    "address": marked("Paste an address first."),
    "path": marked("Write the path of the folder or file first."),
    "file": marked("Choose a file first."),
    "set": marked("Choose a set first."),
}
_TEXTS: Mapping[Way, tuple[str, str]] = {
    "address": (
        marked("Address of a manifest or collection"),
        "https://museum.example/iiif/collection.json",
    ),
    "path": (marked("Path"), "/home/me/paintings"),
}
_SENT, _KEPT_SECONDS = "sent", 24 * 3600.0


@dataclass(frozen=True)
class Arrival:
    """What a person points at.

    Attributes:
        way: How.
        text: The path, the address, the set's id or the file's name, as it was given.
        title: What it shall be called; "" where nothing was said.
        upload: The file, where one was sent.
        kept: Where the file was put already, for another reading of it.
        level: Which folder is the class; None leaves that to the door.
        name: What is replaced by another reading of it; "" where it is new.
    """

    way: Way
    text: str
    title: str = ""
    upload: UploadedFile | None = None
    kept: Path | None = None
    level: int | None = None
    name: str = ""

    def place(self, settings: Settings) -> str | Path:
        """Where it is, as `open_dataset` takes it; a file that was sent is kept first.

        Raises:
            NotAllowedError: The path may not be named.
            TableError: There is no such set.
            OSError: The file cannot be kept.
        """
        if self.way == "address":
            return self.text
        if self.way == "path":
            return access.place(self.text, settings)
        if self.way == "set":
            return find_set(settings, self.text).path
        if self.kept is not None:
            return self.kept
        root = settings.home / _SENT
        for old in root.glob("*"):
            if time.time() - old.stat().st_mtime > _KEPT_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
        return self.keep(root / str(time.time_ns()) / self.text)

    def by_content(self, folder: Path) -> Path:
        """Put the file that was sent into a folder that is named after its bytes."""
        assert self.upload is not None
        name = re.sub(r"[/\\\x00-\x1f]+", "-", self.text).lstrip(".")[-80:] or "file"
        digest = hashlib.sha256(self.upload.getbuffer()).hexdigest()[:8]
        return self.keep(folder / digest / name)

    def keep(self, file: Path) -> Path:
        """Put the file that was sent there."""
        assert self.upload is not None
        self.upload.seek(0)
        with replaced_file(file) as aside, aside.open("wb") as stream:
            shutil.copyfileobj(self.upload, stream)
        return file.absolute()


@dataclass(frozen=True)
class Outcome:
    """What became of it.

    Attributes:
        words: That it is here, or why not and what to do, for people.
        failed: Whether nothing was brought in.
        taken: How many images were; None where that is not known.
        problems: What was found and not taken, with the reasons.
        notes: How it was read, where it might have been read in another way.
        other_level: What gives the other reading.
        arrival: What to read in the other way.
    """

    words: str
    failed: bool = False
    taken: int | None = None
    problems: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    other_level: int | None = None
    arrival: Arrival | None = None


@dataclass(frozen=True)
class BringInForm:
    """What a page takes, and what it does with it.

    Attributes:
        key: What the widgets' keys begin with.
        ways: Way -> what is taken that way, in Markdown, in the order that people see.
        take: Brings it in and says what became of it; None where a task of `begin` goes on. Raises
            `EmovizError` or `OSError` where nothing can be brought in.
        endings: Of files that may be sent.
        right: What all ways but `path` need.
        names_it: Whether a person may say what it shall be called.
        more: Draws what else a way asks for.
    """

    key: str
    ways: Mapping[Way, str]
    take: Callable[[Arrival], Outcome | None]
    endings: Sequence[str] = ()
    right: RightName = "prepare"
    names_it: bool = True
    more: Callable[[Way], None] = lambda way: None


def show(form: BringInForm, settings: Settings, busy: bool = False) -> None:
    """The form; while `busy`, the button waits."""
    ways: list[Way] = [
        way for way in form.ways if access.allowed("paths" if way == "path" else form.right)
    ]
    if "path" in form.ways and "path" not in ways:
        access.explain_no_paths()
    if not ways:
        return
    way = ways[0]
    if len(ways) > 1:
        # not tabs: those go back to the first one whenever something appears above them
        way = st.segmented_control(
            tr("Where is it?"),
            ways,
            default=ways[0],
            required=True,
            format_func=lambda one: tr(_WAYS[one]),
            key=f"{form.key}-way",
            persist_state="session",
        )
    st.markdown(form.ways[way])
    _DRAWN[way](form, settings)
    form.more(way)
    if form.names_it:
        st.text_input(
            tr("What shall it be called?"),
            key=f"{form.key}-title",
            placeholder=tr("left empty, it is named after its source"),
            max_chars=80,
            width=420,
            persist_state="session",
        )
    st.button(
        tr("Bring it in"),
        key=f"{form.key}-bring",
        type="primary",
        icon=":material/download:",
        disabled=busy,
        on_click=_press,
        args=(form, way, settings),
    )


def tell(form: BringInForm, settings: Settings) -> None:
    """What became of the last thing that was brought in, and the other reading of it."""
    outcome: Outcome | None = st.session_state.get(f"{form.key}-outcome")
    if outcome is None:
        return
    if outcome.failed:
        title = tr("This cannot be brought in")
        st.error(plain(outcome.words), title=title, icon=":material/error:")
    else:
        st.info(plain(outcome.words), icon=":material/info:")
    show_problems(outcome.problems, outcome.taken, outcome.notes)
    with st.container(horizontal=True):
        _offer_other(form, outcome, settings)
        st.button(
            tr("Close"), key=f"{form.key}-close", type="tertiary", on_click=forget, args=(form.key,)
        )


def failed(key: str) -> bool:
    """Whether the last thing could not be brought in, so that the form had better stand open."""
    outcome: Outcome | None = st.session_state.get(f"{key}-outcome")
    return outcome is not None and outcome.failed


def forget(key: str) -> None:
    """Say no more of the last thing that was brought in."""
    st.session_state.pop(f"{key}-outcome", None)
    write_parameter(ADDING, "")


def put(form: BringInForm, outcome: Outcome) -> None:
    """Keep what became of it for `tell`; what was written is cleared once it is in."""
    st.session_state[f"{form.key}-outcome"] = outcome
    if outcome.failed:
        return
    for name in ("title", "path", "address"):
        st.session_state[f"{form.key}-{name}"] = ""
    sent = f"{form.key}-sent"
    st.session_state[sent] = st.session_state.get(sent, 0) + 1


def started(key: str, name: str, arrival: Arrival | None = None) -> None:
    """A task brings `name` in; `followed` watches it, also after a reload."""
    st.session_state[f"{key}-adding"] = name
    st.session_state[f"{key}-arrival"] = arrival


def followed(
    form: BringInForm,
    settings: Settings,
    job_key: Callable[[str], str],
    outcome: Callable[[str, Mapping[str, Any]], Outcome],
) -> tuple[str, background.Outcome]:
    """Watch the task that brings something in; its end is put for `tell`.

    Args:
        form: Of the page.
        settings: Where jobs are.
        job_key: Name -> the job's key.
        outcome: What became of it, from its name and what the job found out.

    Returns:
        Its name and how the task stands; ``none`` where there is none, or it was told before.
    """
    own = f"{form.key}-adding"
    name = str(st.session_state.get(own) or st.query_params.get(ADDING, ""))
    state = background.outcome(settings, job_key(name)) if name else "none"
    job = jobs.find(settings, job_key(name)) if name else None
    if state == "live":
        st.session_state[own] = name  # after a reload, too
        write_parameter(ADDING, name)
        background.watch(settings, job_key(name), form.right)
        return name, state
    if job is not None and state == "ended":
        write_parameter(ADDING, name)
        put(form, Outcome(background.reason(job), failed=True))
    elif job is not None and own in st.session_state:
        arrival: Arrival | None = st.session_state.get(f"{form.key}-arrival")
        found = outcome(name, job.progress.result or {})
        put(form, replace(found, arrival=replace(arrival, name=name) if arrival else None))
        write_parameter(ADDING, "")
    else:
        write_parameter(ADDING, "")
        state = "none"
    st.session_state.pop(own, None)
    return name, state


def _press(form: BringInForm, way: Way, settings: Settings, again: Arrival | None = None) -> None:
    forget(form.key)
    arrival = again or _arrival(form, way)
    try:
        outcome = form.take(arrival) if arrival.text else Outcome(tr(_MISSING[way]), failed=True)
    except FetchError as error:
        words = tr("This address cannot be asked: {reason}.", reason=translated(error))
        outcome = Outcome(words, failed=True)
    except (EmovizError, OSError) as error:
        outcome = Outcome(translated(error), failed=True)
    if outcome is not None:
        put(form, outcome)


def _arrival(form: BringInForm, way: Way) -> Arrival:
    title = " ".join(str(st.session_state.get(f"{form.key}-title") or "").split())
    if way == "file":
        upload: UploadedFile | None = st.session_state.get(_file_key(form))
        return Arrival(way, Path(upload.name).name if upload else "", title, upload)
    return Arrival(way, str(st.session_state.get(f"{form.key}-{way}") or "").strip(), title)


def _offer_other(form: BringInForm, outcome: Outcome, settings: Settings) -> None:
    arrival, other = outcome.arrival, outcome.other_level
    if arrival is None or (other is None and arrival.level is None):
        return
    st.button(
        tr("Take folder level {level}", level=other)
        if other is not None
        else tr("Read it as before"),
        key=f"{form.key}-other",
        icon=":material/alt_route:",
        help=tr("The same place is read in the other way; this reading of it is replaced."),
        on_click=_press,
        args=(form, arrival.way, settings, replace(arrival, level=other)),
    )


def _file_key(form: BringInForm) -> str:
    return f"{form.key}-file-{st.session_state.get(f'{form.key}-sent', 0)}"


def _draw_file(form: BringInForm, settings: Settings) -> None:
    most = max(1, int(max(settings.max_file_mb, settings.max_archive_mb)))
    st.file_uploader(tr("File"), type=list(form.endings), key=_file_key(form), max_upload_size=most)


def _draw_text(way: Way) -> Callable[[BringInForm, Settings], None]:
    label, example = _TEXTS[way]

    def draw(form: BringInForm, settings: Settings) -> None:
        st.text_input(
            tr(label), key=f"{form.key}-{way}", placeholder=example, persist_state="session"
        )

    return draw


def _draw_sets(form: BringInForm, settings: Settings) -> None:
    titles = told_apart({item.id: readable(item.title) for item in list_sets(settings)[0]})
    st.selectbox(
        tr("Labelled images"),
        list(titles),
        format_func=lambda id: titles.get(id, id),
        key=f"{form.key}-set",
        persist_state="session",
        width=420,
    )


_DRAWN: Mapping[Way, Callable[[BringInForm, Settings], None]] = {
    "address": _draw_text("address"),
    "path": _draw_text("path"),
    "file": _draw_file,
    "set": _draw_sets,
}
