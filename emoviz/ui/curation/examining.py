"""The examination in the background, and its result in one table."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from emoviz.checkpoints import Checkpoint
from emoviz.curation.telling import Verdict, balance_words, headline, verdicts
from emoviz.settings import Settings
from emoviz.ui import access, background
from emoviz.ui.curation.subject import CurationSubject
from emoviz.ui.words import duration, plain

_TEXT, _FACES, _LOOK, _NETWORK = 0.3, 0.03, 0.004, 0.1  # seconds an image, two cores


@access.offers("compute")
def offer(subject: CurationSubject, settings: Settings, checkpoint: Checkpoint | None) -> None:
    """Begin an examination, or begin it anew with more looks."""
    before = subject.found
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with_network = st.checkbox(
            f"Doubt labels by “{plain(checkpoint.card.title)}”"
            if checkpoint
            else "Doubt labels by a network",
            value=checkpoint is not None,
            disabled=checkpoint is None,
            key="datasets-by-network",
            persist_state="session",
            help="The network in the sidebar looks at each image once. Classifiers on what it "
            "sees are trained on one part and asked about the other; where they are confident of "
            "another label than the image has, the label is doubted.",
        )
        text = st.checkbox(
            "Look for text",
            value=bool(before and before.get("text")),
            key="datasets-text",
            persist_state="session",
            help="About a third of a second an image; seen once, known for ever.",
        )
        faces = st.checkbox(
            "Look for faces",
            value=bool(before and before.get("faces")),
            key="datasets-faces",
            persist_state="session",
            help="Finds faces that look at the viewer; quick.",
        )
        st.button(
            "Examine it" if before is None else "Examine it anew",
            key="datasets-examine",
            type="primary" if before is None else "secondary",
            icon=":material/troubleshoot:",
            on_click=begin,
            args=(subject, settings, checkpoint if with_network else None, text, faces),
        )
    looks = _LOOK + _NETWORK * with_network + _TEXT * text + _FACES * faces
    st.caption(
        f"About {duration(5 + looks * len(subject.labelled.records))} on two processor cores; you "
        "may leave the page, it goes on."
    )


@access.acts("compute")
def begin(
    subject: CurationSubject,
    settings: Settings,
    checkpoint: Checkpoint | None,
    text: bool,
    faces: bool,
) -> None:
    """Examine the set in the background; what is found is kept beside nothing else of it."""
    command = ["data", "examine", str(subject.known.path), "--out", str(subject.folder)]
    command += ["--checkpoint", str(checkpoint.folder)] if checkpoint else []
    command += ["--text"] if text else []
    command += ["--faces"] if faces else []
    background.begin(settings, f"Examining {subject.known.title}", command, subject.key)


def watch(subject: CurationSubject, settings: Settings) -> bool:
    """Progress with a stop; False where nothing is at work."""
    state = background.outcome(settings, subject.key)
    if state == "live":
        background.watch(settings, subject.key)
        return True
    if state == "ended":
        background.explain(settings, subject.key)
    return False


def missing(subject: CurationSubject, settings: Settings, checkpoint: Checkpoint | None) -> None:
    """What a view needs the examination for, and the button that begins it."""
    st.info(
        "This set was not examined yet, or has changed since. The examination looks at each image "
        "once: what cannot be read, what is there twice and in which splits, which labels look "
        "wrong, what light and colour give away.",
        icon=":material/troubleshoot:",
    )
    offer(subject, settings, checkpoint)


def overview(subject: CurationSubject) -> None:
    """The verdict in a sentence, then what was found in a table, the rest in a line each."""
    assert subject.found is not None
    rows = verdicts(subject.found)
    st.markdown(f"**{plain(headline(subject.found))}**")
    found = [row for row in rows if row.count]
    if found:
        st.html(table_html(found))
    fine = [row.title.lower() for row in rows if row.weight == "fine"]
    if fine:
        st.markdown(f":material/check: Looked for and not found: {plain(', '.join(fine))}.")
    for row in rows:
        if row.weight == "unknown":
            st.caption(f"{plain(row.title)}: {plain(row.words[0].lower() + row.words[1:])}")
    st.markdown(f"**Balance.** {plain(balance_words(subject.found['classes']))}")


def table_html(rows: Sequence[Verdict]) -> str:
    """One row a kind of fault: how many, what it means, what to do."""
    cells = "".join(
        f'<tr><th scope="row"><i class="ev-dot ev-{row.weight}"></i>{escape(row.title)}</th>'
        f'<td class="ev-value">{row.count or 0:,}</td>'
        f"<td>{escape(row.words)} <em>{escape(row.advice)}</em></td></tr>"
        for row in rows
    )
    head = "<th>What was looked for</th><th>Found</th><th>What it means</th>"
    return (
        '<div class="ev-facts ev-found"><div class="ev-wide"><table><thead><tr>'
        f"{head}</tr></thead><tbody>{cells}</tbody></table></div></div>"
        '<p class="ev-quiet"><i class="ev-dot ev-mend"></i>mend before training '
        '&emsp;<i class="ev-dot ev-look"></i>worth a look</p>'
    )
