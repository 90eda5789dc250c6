"""A recipe of preparation out of ticks and numbers, or out of a file."""

import contextlib
from collections.abc import Mapping
from typing import Any

import streamlit as st

from emoviz.curation.recipe import (
    ImageFilters,
    Preparation,
    Relabel,
    SplitShares,
    Undersample,
    dump_preparation,
    load_preparation,
    read_preparation,
)
from emoviz.errors import EmovizError, RecipeError, TaxonomyError
from emoviz.files import write_text
from emoviz.labels import TAXONOMIES, Taxonomy, bridge_between
from emoviz.ui import access
from emoviz.ui.curation.subject import CurationSubject, Marks
from emoviz.ui.library.sets import NOTES
from emoviz.ui.words import plain

_STARTS = {
    "clean": "A careful start for any set",
    "webemo-sadness": "The dissertation's WEBEmo sadness",
}
_NEAR = {
    "together": "keep them in one split",
    "drop": "throw out all but one",
    "keep": "do nothing",
}
_BY = {"group": "artist or group", "image": "each image by itself"}
_LAST = "last-recipe.yaml"
_ASIS, _WIDTH = "as they are", 215


def choose(subject: CurationSubject, marks: Marks) -> Preparation | None:
    """Draw the controls; the recipe that they say, None where they say none, which is told."""
    _fill(_last(subject), only_missing=True)
    _start()
    with st.container(horizontal=True, gap="medium"):  # beside each other where there is room
        for part in (_filters, _labels, _split):
            with st.container(width=_WIDTH):
                part(subject)
    try:
        _remember(subject, _recipe(Marks()))
        return _recipe(marks)
    except EmovizError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None


def set_share(kind: str, share: float) -> None:
    """Take over a threshold for text or faces, as a share of the area."""
    st.session_state[f"prep-{kind}"] = round(100 * share, 2)
    st.session_state[NOTES] = [
        f"Preparation throws out pictures of which {kind} takes {100 * share:g} % or more."
    ]


def _start() -> None:
    """A shipped recipe, or one out of a file, fills the controls."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Begin with",
            list(_STARTS),
            format_func=lambda name: _STARTS.get(name, name),
            key="prep-start",
            on_change=_take_shipped,
            width=340,
            help="Fills in all that stands below; change it as you like.",
        )
        with st.popover("A recipe of yours", icon=":material/upload_file:"):
            st.file_uploader(
                "YAML file",
                type=["yaml", "yml"],
                key=f"prep-file-{st.session_state.get('prep-files', 0)}",
                on_change=_take_file,
            )


def _filters(subject: CurationSubject) -> None:
    st.markdown("**Throw out**")
    st.checkbox("files that are there again", key="prep-duplicates", persist_state="session")
    st.checkbox("look-alikes that contradict", key="prep-contradictions", persist_state="session")
    st.checkbox("pictures of one colour", key="prep-one", persist_state="session")
    st.checkbox("pictures without colour", key="prep-grey", persist_state="session")
    st.number_input(
        "short side below … pixels", 0, 10_000, step=8, key="prep-side", persist_state="session"
    )
    st.number_input(
        "longer than … to 1",
        0.0,
        100.0,
        step=0.5,
        format="%g",
        key="prep-aspect",
        persist_state="session",
    )
    item = subject.item
    for kind, words, seen in (
        ("text", "text on … % or more of it", item.text if item else None),
        ("faces", "a face on … % or more of it", item.faces if item else None),
    ):
        st.number_input(
            words,
            0.0,
            100.0,
            step=0.5,
            format="%g",
            key=f"prep-{kind}",
            persist_state="session",
            help="0 keeps all."
            if seen is not None
            else f"Nobody looked for {kind} yet: see the view Text and faces.",
        )
    st.caption("0 keeps all. Files that cannot be read are always left out.")


def _labels(subject: CurationSubject) -> None:
    st.markdown("**Labels**")
    names = subject.labelled.taxonomy.names
    st.session_state["prep-labels"] = [
        name for name in st.session_state.get("prep-labels", []) if name in names
    ]
    st.multiselect(
        "Only images labelled", names, key="prep-labels", placeholder="all", persist_state="session"
    )
    targets = [_ASIS, *_targets(subject.labelled.taxonomy)]
    if st.session_state.get("prep-to") not in targets:
        st.session_state["prep-to"] = _ASIS
    st.selectbox(
        "New labels, by a bridge",
        targets,
        key="prep-to",
        persist_state="session",
        help="Which of the old labels may be called which of the new ones is set down in emoviz "
        "(labels.py). Labels that lead nowhere or to several are thrown out.",
    )
    st.text_input(
        "Rename or merge labels",
        key="prep-names",
        persist_state="session",
        placeholder="awe=wonder, excitement=wonder",
    )
    st.number_input(
        "At most … times the rarest class",
        0.0,
        1000.0,
        step=0.5,
        format="%g",
        key="prep-ratio",
        persist_state="session",
        help="Undersampling: larger classes lose images by chance, with the seed. 0 keeps all.",
    )
    st.text_input(
        "At most so many images of a label",
        key="prep-counts",
        persist_state="session",
        placeholder="others=33000, sadness=28000",
    )
    columns = sorted({key for record in subject.labelled.records for key in record.metadata})
    if columns:
        st.text_input(
            "Only where a column says",
            key="prep-where",
            persist_state="session",
            placeholder=f"{columns[0]}=…",
            help=f"Columns: {', '.join(columns[:20])}.",
        )


def _split(subject: CurationSubject) -> None:
    st.markdown("**Split**")
    st.selectbox(
        "Look-alikes",
        list(_NEAR),
        format_func=lambda name: _NEAR.get(name, name),
        key="prep-near",
        persist_state="session",
    )
    st.number_input(
        "Bits of 64 in which they may differ", 0, 31, key="prep-bits", persist_state="session"
    )
    st.number_input(
        "Validation, % of the images",
        0.0,
        90.0,
        step=1.0,
        format="%g",
        key="prep-validation",
        persist_state="session",
    )
    st.number_input(
        "Test, % of the images",
        0.0,
        90.0,
        step=1.0,
        format="%g",
        key="prep-test",
        persist_state="session",
    )
    columns = sorted({key for record in subject.labelled.records for key in record.metadata})
    choices = {**_BY, **{name: name for name in columns if name not in _BY}}
    if st.session_state.get("prep-by") not in choices:
        st.session_state["prep-by"] = "group"
    st.selectbox(
        "Keep together",
        list(choices),
        format_func=lambda name: choices.get(name, name),
        key="prep-by",
        persist_state="session",
        help="Images with the same value never stand in two splits.",
    )
    st.checkbox("the set's own split stays", key="prep-own", persist_state="session")
    st.number_input(
        "Seed",
        0,
        2**31 - 1,
        key="prep-seed",
        persist_state="session",
        help="Another number "
        "gives another split and another sample; the same number gives the same anywhere.",
    )


def _last(subject: CurationSubject) -> Preparation:
    """What stood in the form when this set was last looked at, so that a reload loses nothing."""
    file = subject.folder / _LAST
    try:
        return load_preparation(file) if file.is_file() else load_preparation("clean")
    except RecipeError:  # of another version
        return load_preparation("clean")


def _remember(subject: CurationSubject, recipe: Preparation) -> None:
    """Keep the form beside the examination; decisions about single images are kept elsewhere."""
    text = dump_preparation(recipe)
    if st.session_state.get(_LAST) != (subject.known.id, text):
        if access.allowed("prepare"):
            with contextlib.suppress(OSError):  # a full disk must not take the form away
                write_text(subject.folder / _LAST, text)
        st.session_state[_LAST] = (subject.known.id, text)


def _recipe(marks: Marks) -> Preparation:
    """What the controls say, checked as a file would be."""
    state = st.session_state
    title = " ".join(str(state.get("prep-title", "")).split())
    seed = int(state["prep-seed"] or 0)
    made = Preparation(
        "prepared",
        title=title,
        summary=str(state.get("prep-summary", "")),
        filters=ImageFilters(
            min_side=int(state["prep-side"] or 0),
            max_aspect=float(state["prep-aspect"] or 0.0),
            one_coloured="drop" if state["prep-one"] else "keep",
            grey="drop" if state["prep-grey"] else "keep",
            duplicates="drop" if state["prep-duplicates"] else "keep",
            near_duplicates=state["prep-near"],
            bits=int(state["prep-bits"] or 0),
            contradictions="drop" if state["prep-contradictions"] else "keep",
            text=round(float(state["prep-text"] or 0.0) / 100, 6),
            faces=round(float(state["prep-faces"] or 0.0) / 100, 6),
            labels=tuple(state["prep-labels"]),
            where=_pairs("prep-where"),
            unless=dict(state.get("prep-unless", {})),
            drop=_short(state.get("prep-drop", ()), marks.drop),
            keep=_short(state.get("prep-keep", ()), marks.keep),
        ),
        relabel=Relabel(
            "" if state["prep-to"] == _ASIS else state["prep-to"], _pairs("prep-names")
        ),
        undersample=Undersample(float(state["prep-ratio"] or 0.0), _counts(), seed),
        split=SplitShares(
            validation=round(float(state["prep-validation"] or 0.0) / 100, 6),
            test=round(float(state["prep-test"] or 0.0) / 100, 6),
            by=state["prep-by"],
            own="keep" if state["prep-own"] else "drop",
            seed=seed,
        ),
    )
    return read_preparation(dump_preparation(made), "The recipe")


def _fill(recipe: Preparation, only_missing: bool = False) -> None:
    """Set the controls to what a recipe says."""
    filters, split = recipe.filters, recipe.split
    values: dict[str, Any] = {
        "duplicates": filters.duplicates == "drop",
        "contradictions": filters.contradictions == "drop",
        "one": filters.one_coloured == "drop",
        "grey": filters.grey == "drop",
        "side": filters.min_side,
        "aspect": float(filters.max_aspect),
        "text": round(100 * filters.text, 2),
        "faces": round(100 * filters.faces, 2),
        "near": filters.near_duplicates,
        "bits": filters.bits,
        "labels": list(filters.labels),
        "where": _written(filters.where),
        "unless": dict(filters.unless),
        "drop": tuple(filters.drop),
        "keep": tuple(filters.keep),
        "to": recipe.relabel.to or _ASIS,
        "names": _written(recipe.relabel.names),
        "ratio": float(recipe.undersample.ratio),
        "counts": _written(recipe.undersample.counts),
        "validation": round(100 * split.validation, 2),
        "test": round(100 * split.test, 2),
        "by": split.by,
        "own": split.own == "keep",
        "seed": split.seed,
    }
    for name, value in values.items():
        if not only_missing or f"prep-{name}" not in st.session_state:
            st.session_state[f"prep-{name}"] = value


def _take_shipped() -> None:
    _fill(load_preparation(str(st.session_state["prep-start"])))


def _take_file() -> None:
    generation = st.session_state.get("prep-files", 0)
    upload = st.session_state.get(f"prep-file-{generation}")
    if upload is None:
        return
    try:
        recipe = read_preparation(upload.getvalue().decode("utf-8"), upload.name)
    except UnicodeDecodeError:
        st.session_state[NOTES] = [f"{plain(upload.name)} is no text; wanted a recipe in YAML."]
        return
    except RecipeError as error:
        st.session_state[NOTES] = [plain(str(error))]
        return
    _fill(recipe)
    st.session_state["prep-files"] = generation + 1
    st.session_state[NOTES] = [f"The recipe {plain(recipe.title or recipe.name)} fills the form."]


def _targets(taxonomy: Taxonomy) -> list[str]:
    """Taxonomies of the field to which a bridge leads from the set's labels."""
    found = []
    for name, target in TAXONOMIES.items():
        if name == taxonomy.name:
            continue
        try:
            bridge = bridge_between(taxonomy, target)
        except TaxonomyError:
            continue
        if (bridge.matrix.sum(axis=0) == 1).any():
            found.append(name)
    return found


def _pairs(key: str) -> dict[str, str]:
    """``a=b, c=d`` as a table.

    Raises:
        RecipeError: A part has no ``=``.
    """
    found = {}
    for part in str(st.session_state.get(key, "")).split(","):
        name, sign, value = part.partition("=")
        if part.strip() and not (sign and name.strip() and value.strip()):
            raise RecipeError(f"'{part.strip()}' says nothing; wanted old=new, old=new.")
        if part.strip():
            found[name.strip()] = value.strip()
    return found


def _counts() -> dict[str, int]:
    """Label -> most images.

    Raises:
        RecipeError: One is no number.
    """
    pairs = _pairs("prep-counts")
    wrong = [f"{name}={text}" for name, text in pairs.items() if not text.isdecimal()]
    if wrong:
        raise RecipeError(f"'{wrong[0]}': wanted a whole number of images, such as sadness=2000.")
    return {name: int(text) for name, text in pairs.items()}


def _written(pairs: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in pairs.items())


def _short(*parts: Any) -> tuple[str, ...]:
    """Hashes of a recipe and of this page together, twelve signs each."""
    return tuple(sorted({str(text)[:12] for part in parts for text in part}))
