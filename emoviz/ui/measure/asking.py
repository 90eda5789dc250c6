"""Another network asked about the images on Evaluate and Compare: a folder's, or a server's."""

import hashlib
from collections.abc import Sequence

import streamlit as st

from emoviz import jobs
from emoviz.data.fetch import is_on_this_machine
from emoviz.errors import EmovizError
from emoviz.experiments.contenders import is_address
from emoviz.files import write_text
from emoviz.inference.language_model import CLASSES, PROMPT
from emoviz.labels import TAXONOMIES, Taxonomy
from emoviz.settings import Settings
from emoviz.ui import access, background
from emoviz.ui.explorer.sources import Source
from emoviz.ui.words import plain

_INTRODUCTION = (
    "A classifier in a folder (timm, torchvision, transformers, or ONNX with its labels), or a "
    "vision-language model that runs on this machine. Its answers then stand beside the "
    "networks'; they are kept, so no image is asked about twice."
)


@access.offers("compute")
def show(source: Source, likely: Taxonomy, settings: Settings) -> None:
    """What is asked, how far it has come, and the way to its answers.

    Args:
        source: The images.
        likely: A language model is asked for its classes where the images have no labels.
        settings: Where answers are kept.
    """
    if not access.allowed("paths") or source.is_vectors:
        return
    key = f"ask {source.path}"
    job = jobs.find(settings, key)
    live = job is not None and job.is_live
    with st.expander("Ask another network", icon=":material/contact_support:", expanded=live):
        st.markdown(_INTRODUCTION)
        if live:
            background.watch(settings, key, "paths")
            return
        if job is not None:
            _ended(job, key, settings)
        place = st.text_input(
            "Folder, or address of a server",
            key="ask-place",
            placeholder="/home/me/classifier or http://127.0.0.1:8080/v1",
            help="Weights are safetensors or a graph: nothing that is pickled is opened, no code "
            "of a folder is run. A server speaks as OpenAI's does: llama.cpp, Ollama, vLLM.",
        ).strip()
        options = _question(place, settings) if is_address(place) else []
        if classes := [likely.name] if likely.name in TAXONOMIES else []:
            options = None if options is None else [*options, "--classes", *classes]
        st.button(
            "Ask about these images",
            icon=":material/play_arrow:",
            disabled=not place or options is None,
            on_click=_begin,
            args=(place, ["--data", source.path, *(options or [])], source, key, settings),
        )


@access.offers("paths")
def _question(address: str, settings: Settings) -> list[str] | None:
    """How a language model is asked, as options of ``ask``; None while something is missing."""
    model = st.text_input("Model, as its server calls it", key="ask-model").strip()
    prompt = st.text_area(
        "Question",
        PROMPT,
        key="ask-prompt",
        help=f"{CLASSES} stands for the names of the classes. The answer that is wanted is one "
        "JSON object with a share for each.",
    )
    if CLASSES not in prompt:
        st.warning(f"The question has to hold {CLASSES}, where the names of the classes go.")
        return None
    consent = _consent(address)
    if consent is None or not model:
        return None
    file = settings.home / "prompts" / f"{hashlib.sha256(prompt.encode()).hexdigest()[:16]}.txt"
    try:
        write_text(file, prompt)
    except OSError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None
    return ["--model", model, "--prompt", str(file), *consent]


def _consent(address: str) -> list[str] | None:
    """Nothing on this machine; beyond it, the option that somebody ticked; None until then."""
    try:
        if is_on_this_machine(address):
            return []
    except EmovizError as error:
        st.error(f"It cannot be asked: {plain(str(error))}.", icon=":material/error:")
        return None
    st.warning(
        f"{plain(address)} is not known to be this machine: the images would leave it. Send only "
        "what you may show to whoever runs that server.",
        icon=":material/outgoing_mail:",
    )
    agreed = st.checkbox("Send these images there", key=f"ask-consent {address}")
    return ["--beyond-this-machine"] if agreed else None


def _ended(job: jobs.Job, key: str, settings: Settings) -> None:
    """What came of the last that was asked about these images."""
    result = job.progress.result
    if job.state == "done" and result is not None:
        st.success(plain(job.progress.words), icon=":material/check:")
        st.button("Show its answers", on_click=_choose, args=(str(result["key"]),))
    else:
        background.explain(settings, key)


def _choose(key: str) -> None:
    st.session_state["rival"] = key


@access.acts("paths")
def _begin(
    place: str, options: Sequence[str], source: Source, key: str, settings: Settings
) -> None:
    try:
        asked = place if is_address(place) else str(access.place(place, settings))
    except EmovizError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    what = f"Asking {asked} about {source.title}"
    background.begin(settings, what, ["ask", asked, *options], key)
