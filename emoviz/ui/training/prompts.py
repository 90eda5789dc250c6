"""A network out of words, on the Retrain page: a CLIP, and prompts for each class to edit."""

import json

import streamlit as st

from emoviz.checkpoints import Checkpoint, check_id, list_checkpoints
from emoviz.errors import EmovizError, NotInstalledError, require_training_packages
from emoviz.files import write_text
from emoviz.labels import TAXONOMIES
from emoviz.settings import Settings
from emoviz.ui import access, background
from emoviz.ui.words import plain, readable

_ID = "zero-shot-id"
_GUIDE = (
    "A CLIP knows images and texts, so it needs no labelled images, only words. One prompt a line, "
    "`class: prompt`; the prompts of a class are averaged. Other words give another network: to "
    "try some, begin with one that you made, change lines, and give it another name. Nothing is "
    "calibrated; evaluate it on labelled images before you compare."
)


@access.offers("train")
def offer(settings: Settings) -> None:
    """The form, the task that it begins, and what came of it."""
    place = st.expander(
        "Without labelled images: prompts for a CLIP",
        icon=":material/chat:",
        on_change="rerun",
        key="zero-shot",
    )
    if not place.open:
        return
    with place:
        try:
            require_training_packages()
        except NotInstalledError as error:
            st.info(plain(str(error)), icon=":material/extension:")
            return
        st.caption(_GUIDE)
        _form(settings)


def _form(settings: Settings) -> None:
    known = {item.card.id: item for item in list_checkpoints(settings)[0] if _prompts_of(item)}
    left, right = st.columns(2)
    folder = left.text_input(
        "Folder of the CLIP on this machine",
        key="zero-shot-folder",
        help="As transformers or open_clip write it, with both towers and the tokenizer.",
    )
    name = right.text_input("Name of the new network", key=_ID, max_chars=60)
    start = st.selectbox(
        "Begin with the prompts of",
        [*TAXONOMIES, *known],
        format_func=lambda id: (
            readable(known[id].card.title) + f" ({id})" if id in known else TAXONOMIES[id].title
        ),
        key="zero-shot-start",
        width=420,
    )
    text = st.text_area(
        "Prompts",
        _lines(start, known),
        key=f"zero-shot-prompts-{start}",
        height=320,
    )
    if st.button("Make the network", icon=":material/play_arrow:", key="zero-shot-make"):
        _begin(settings, folder.strip(), name.strip(), text)
    _told(settings)


def _lines(start: str, known: dict[str, Checkpoint]) -> str:
    from emoviz.training.zero_shot import prompt_lines, read_prompts

    return prompt_lines(_prompts_of(known[start]) if start in known else read_prompts(start)[1])


def _prompts_of(item: Checkpoint) -> dict[str, list[str]]:
    """A card's prompts; none where it was not made of any, or a stranger's card holds others."""
    from_words = item.card.recipe.get("zero_shot")
    found = from_words.get("prompts") if isinstance(from_words, dict) else None
    return found if isinstance(found, dict) else {}


@access.acts("train")
def _begin(settings: Settings, folder: str, name: str, text: str) -> None:
    from emoviz.training.zero_shot import check_prompts, parse_prompts

    try:
        path = access.place(folder, settings)
        check_id(name, settings)
        prompts = parse_prompts(text)
        check_prompts(prompts)
        file = settings.home / "prompts" / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(prompts, ensure_ascii=False, indent=1))
    except (EmovizError, OSError) as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.session_state["zero-shot-made"] = name
    command = ["add-encoder", str(path), "--id", name, "--zero-shot", str(file)]
    background.begin(settings, f"The network {name}", command, _key(name))


def _told(settings: Settings) -> None:
    name = st.session_state.get("zero-shot-made")
    if not name:
        return
    state = background.outcome(settings, _key(name))
    if state == "live":
        background.watch(settings, _key(name))
    elif state == "ended":
        background.explain(settings, _key(name))
    elif state == "done":
        st.success(
            f"{plain(name)} stands among the networks now: choose it in the sidebar, and evaluate "
            "it on labelled images.",
            icon=":material/check:",
        )


def _key(name: str) -> str:
    return f"zero-shot {name}"
