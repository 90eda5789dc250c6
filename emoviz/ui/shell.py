"""Around every page: its configuration, and the sidebar with the checkpoint and its card."""

import contextlib
import json
import re
from dataclasses import dataclass
from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from emoviz import __version__
from emoviz.checkpoints import Checkpoint, list_checkpoints
from emoviz.errors import EmovizError, SettingsError
from emoviz.files import unwritable
from emoviz.inference.abstention import Abstention, abstention_of
from emoviz.review import open_store
from emoviz.settings import PROJECT_ROOT, Settings, load_settings
from emoviz.ui import language
from emoviz.ui.card_page import card_html, novelty_rule
from emoviz.ui.cards import PLAIN_RULE
from emoviz.ui.language import marked, plural, tr
from emoviz.ui.linked import from_link, told_apart, write_parameter
from emoviz.ui.models import identity, is_ready, ready
from emoviz.ui.style import SHEET
from emoviz.ui.wording import has_two_sentiments, wording
from emoviz.ui.words import plain, readable, told

DEFAULT = "mikels8"
STATEMENTS = {
    "glossary": marked("What the words mean"),
    "privacy": marked("Privacy"),
    "accessibility": marked("Accessibility"),
}
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")
_KEY, _CHOICE = "context", "checkpoint"
_COLOURS = ("#e7ac13", "#23d1a0", "#be4472", "#2a57b9")
# A picture in its frame, with the bars of a distribution; drawn here so that nothing is fetched.
_MARK = (
    '<rect x="3" y="3" width="58" height="58" rx="12" fill="#fcfbf8" stroke="#4b4377" '
    'stroke-width="5"/>'
    + "".join(
        f'<rect x="14" y="{14 + 10 * i}" width="{width}" height="6.5" rx="3.2" fill="{colour}"/>'
        for i, (width, colour) in enumerate(zip((36, 25, 15, 8), _COLOURS, strict=True))
    )
)
ICON = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">{_MARK}</svg>'
LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 236 64" width="236" height="64">'
    f'{_MARK}<text x="78" y="45" font-family="Georgia, \'Source Serif 4\', serif" '
    'font-size="42" font-weight="600" fill="#7b70b8">emoviz</text></svg>'
)


@dataclass(frozen=True)
class Context:
    """What every page needs to know.

    Attributes:
        settings: Read from the environment.
        checkpoint: The one chosen in the sidebar; None where there is none to choose.
        identity: Of the checkpoint's weights and card, by which predictions are kept.
        engine_line: Place in the sidebar that says why the network cannot run.
        kind: What kind of image a person says that all are; None leaves it to the network.
    """

    settings: Settings
    checkpoint: Checkpoint | None = None
    identity: str = ""
    engine_line: DeltaGenerator | None = None
    kind: str | None = None

    @property
    def abstention(self) -> Abstention | None:
        """The threshold below which the checkpoint had better not answer, where one was set."""
        return abstention_of(self.checkpoint, self.settings) if self.checkpoint else None

    @property
    def rule(self) -> str:
        """When the checkpoint calls an image unlike its training images, in words."""
        card = self.checkpoint.card if self.checkpoint else None
        return (novelty_rule(card) if card else "") or PLAIN_RULE


def configure() -> None:
    """The session's language; title, icon, width and style of the browser page."""
    language.begin()
    st.set_page_config(
        page_title="emoviz",
        page_icon=ICON,
        layout="wide",
        menu_items={
            "About": tr(
                "emoviz {version}: the emotion that an image evokes, as estimated by a trained "
                "network. Images and results stay on this machine.",
                version=__version__,
            )
        },
    )
    st.logo(LOGO, icon_image=ICON, size="large")
    st.html(SHEET)


def settings() -> Settings | None:
    """Read the settings; None where one is impossible, which is then on the page."""
    try:
        return load_settings()
    except SettingsError as error:
        st.error(
            f"{told(error)}\n\n{tr('Correct or unset the variable and start emoviz again.')}",
            title=tr("A setting cannot be used"),
            icon=":material/error:",
        )
        return None


def entitle(title: str) -> None:
    """What the browser's tab and a screen reader call the page."""
    st.set_page_config(page_title=f"{readable(title)} - emoviz")


def reviews(settings: Settings) -> bool:
    """Whether somebody has brought a collection of artworks in."""
    try:
        return bool(open_store(settings).collections())
    except EmovizError:
        return False


def start(settings: Settings) -> Context:
    """Draw the sidebar; what the pages need."""
    if unwritable(settings.home):
        st.warning(
            tr(
                "The folder of emoviz, `{home}`, cannot be written: pages show what is there, and "
                "nothing new is kept.",
                home=settings.home,
            ),
            icon=":material/edit_off:",
        )
    context = _sidebar(settings)
    st.session_state[_KEY] = context
    return context


def current() -> Context:
    """What `start` found in this run."""
    found: Context = st.session_state[_KEY]
    return found


def warm(context: Context) -> None:
    """Load the network, so that the first image finds it ready, and say what runs it.

    Called after the page is drawn: nobody looks at an empty screen for it.
    """
    line = context.engine_line
    if context.checkpoint is None or line is None:
        return
    try:
        ready(context.checkpoint, context.settings)
    except EmovizError as error:
        line.error(told(error))


def explain_no_checkpoint(settings: Settings) -> None:
    """What to do where there is no checkpoint at all."""
    st.warning(
        tr(
            "emoviz needs a trained network. It looks for folders with a `card.json` and a "
            "`model.safetensors` in\n\n- `{shipped}`\n- `{own}`\n\nCopy the folder of a network "
            "into one of them and reload this page.",
            shipped=settings.shipped_checkpoints,
            own=settings.user_checkpoints,
        ),
        title=tr("No network found"),
        icon=":material/deployed_code_alert:",
    )


def _sidebar(settings: Settings) -> Context:
    found, refused = list_checkpoints(settings)
    by_id = {item.card.id: item for item in found}
    with st.sidebar:
        checkpoint = _picker(by_id) if by_id else None
        if refused:
            _broken(refused)
        if checkpoint is None:
            language.choose()
            return Context(settings)
        context = Context(settings, checkpoint, identity(checkpoint), st.empty())
        if is_ready(checkpoint, settings):
            warm(context)
        with st.expander(tr("How to read this"), icon=":material/help:"):
            st.html(_guide(checkpoint))
        language.choose()
        _statements()
    return context


def _statements() -> None:
    """Privacy, accessibility and the words, from the documents."""
    with st.expander(tr("Words, privacy, accessibility"), icon=":material/lock:"):
        st.caption(tr("Images and results stay on this machine."))
        for name, words in STATEMENTS.items():
            title = tr(words)
            if st.button(title, key=f"statement-{name}", type="tertiary"):
                st.dialog(title, width="large")(_show_statement)(name)


def _show_statement(name: str) -> None:
    own = PROJECT_ROOT / "docs" / language.language() / f"{name}.md"
    file = own if own.is_file() else PROJECT_ROOT / "docs" / f"{name}.md"
    text = file.read_text(encoding="utf-8")
    st.markdown(_LINK.sub(r"\1", text.partition("\n")[2]))  # links lead to other documents


def _picker(by_id: dict[str, Checkpoint]) -> Checkpoint:
    """Choose a checkpoint; the link names it, so that it can be passed on."""
    asked = st.query_params.get(_CHOICE)
    if (anew := from_link(_CHOICE)) in by_id:
        st.session_state[_CHOICE] = anew
    elif st.session_state.get(_CHOICE) not in by_id:
        st.session_state[_CHOICE] = _default(by_id)
    words = told_apart({name: item.card.title for name, item in by_id.items()})
    chosen = st.selectbox(
        tr("Network"),
        list(by_id),
        format_func=lambda name: words.get(name, name),
        key=_CHOICE,
        on_change=_write_link,
        persist_state="session",  # else each page would begin with the default again
        help=tr("The trained network that is asked about each artwork."),
    )
    if asked is None and chosen != _default(by_id):
        _write_link()  # the menu's links carry no parameters
    if asked and asked not in by_id:
        words_of_link = escape(
            tr("The link asks for “{name}”, which is not here.", name=asked[:80])
        )
        st.html(f'<p class="ev-quiet">{readable(words_of_link)}</p>')
    checkpoint = by_id[chosen or st.session_state[_CHOICE]]
    card = checkpoint.card
    if st.button(tr("About this network"), icon=":material/description:", width="stretch"):
        st.dialog(f"{plain(card.title)} ({plain(card.id)})", width=880)(_show_card)(checkpoint)
    return checkpoint


def _default(by_id: dict[str, Checkpoint]) -> str:
    return DEFAULT if DEFAULT in by_id else next(iter(by_id))


def _write_link() -> None:
    write_parameter(_CHOICE, st.session_state[_CHOICE])


def _show_card(checkpoint: Checkpoint) -> None:
    with contextlib.suppress(EmovizError):  # told in the sidebar
        words = ready(checkpoint, current().settings).engine.description
        st.caption(f":material/memory: {tr('Runs on {engine}', engine=words)}")
    st.html(card_html(checkpoint.card))
    card = json.dumps(checkpoint.card.to_dict(), indent=2, ensure_ascii=False)
    if checkpoint.card.recipe:
        with st.expander(tr("The recipe that it was trained with")):
            st.json(dict(checkpoint.card.recipe))
    st.download_button(
        tr("Download {file}", file="card.json"),
        card,
        f"{checkpoint.card.id}-card.json",
        "application/json",
        on_click="ignore",
        icon=":material/download:",
    )


def _broken(refused: list[str]) -> None:
    label = plural(
        "{count} network cannot be used", "{count} networks cannot be used", len(refused)
    )
    with st.expander(label, icon=":material/error:"):
        for reason in refused:
            st.text(reason)


def _guide(checkpoint: Checkpoint) -> str:
    taxonomy = checkpoint.card.taxonomy
    bars = tr("<b>Bars</b> are the probabilities; they add up to 100 %.")
    if checkpoint.card.calibration:
        believed = tr(
            "They were calibrated on images that the network had not seen, so that on images like "
            "those a 40 % comes true about four times in ten. The card says how well that worked."
        )
        bars = f"{bars} {believed}"
    weighed = (
        tr("<b>Sentiment</b> (the thin bar) adds up what is positive and what is negative."),
        tr("<b>Mixed feelings</b>: the two most likely answers have opposite sentiments."),
    )
    parts = (
        tr(
            "What you see is <b>the model's estimate: {subject}</b>, as people who look at it "
            "would say. It is not a fact about the image, and viewers differ.",
            subject=tr(wording(taxonomy).subject),
        ),
        bars,
        *(weighed if has_two_sentiments(taxonomy) else ()),
        tr("<b>Unsure</b>: several answers are about as likely; make nothing of their order."),
        tr(
            "<b>Unlike the training images</b>: the model has seen little of the kind; take its "
            "estimate with care."
        ),
    )
    return f'<div class="ev-quiet ev-guide">{"".join(f"<p>{part}</p>" for part in parts)}</div>'
