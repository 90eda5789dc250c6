"""A run's network among the checkpoints: its measures, its card, its files, its parent."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from emoviz.analysis.metrics import METRICS
from emoviz.analysis.resampling import MetricEstimate
from emoviz.checkpoints import CARD, WEIGHTS, check_id, free_checkpoint_id, list_checkpoints
from emoviz.errors import EmovizError
from emoviz.files import read_json
from emoviz.model_card import MODEL_CARD
from emoviz.settings import Settings
from emoviz.training.folder import MEASURES
from emoviz.training.runs import Run, read_curves, verdict_on_probe
from emoviz.ui import access, background, tables
from emoviz.ui.explorer import sources
from emoviz.ui.measure import numbers
from emoviz.ui.words import plain, readable

_SHOWN = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "mcc",
    "sentiment_accuracy",
    "ari",
    "ami",
    "nmi",
    "asr",
    "ece",
)
_FIELDS = {
    "title": ("Name", "What people read in the picker.", 1),
    "summary": ("In a sentence", "What it is and what it was trained on.", 2),
    "licence": ("Licence", "Of the weights, after the terms of the images.", 1),
    "intended_use": ("Intended use", "For whom, and what for.", 2),
    "limits": ("Limits", "What it cannot do.", 2),
}
_DATA_FIELDS = {
    "source": ("Images from", "Where the images that it learned from are from."),
    "terms": ("Terms of the images", "Their licence, or what their owner allows."),
}
_COMPARE = "pages/measure/compare.py"


def summary(settings: Settings, run: Run) -> None:
    """What was measured at the end, and what to do with the network."""
    measures_table(run)
    keep(settings, run)


def measures_table(run: Run) -> None:
    """The metrics on images that were held out for the end, and the verdict on the probe."""
    columns = {}
    for title, values in run.measures.items():
        name = f"{readable(title)}, {values.get('n', 0):,} images"
        columns[name] = [_shown(key, values) for key in _SHOWN]
    if run.probe_tested is not None:
        words = numbers.with_interval(run.probe_tested, METRICS["accuracy"])
        name = f"linear probe, {run.probe_tested.n:,} images"
        columns[name] = [words if key == "accuracy" else "" for key in _SHOWN]
    if not columns:
        return
    st.markdown("**On images kept for the end**, with 95 % confidence intervals")
    tables.draw(pd.DataFrame(columns, index=[METRICS[key].title for key in _SHOWN]))
    if verdict := verdict_on_probe(run):
        st.markdown(f"**{verdict}**")
    reasons = {
        str(row.get("reason"))
        for values in run.measures.values()
        for key, row in values.get("intervals", {}).items()
        if key in _SHOWN and row.get("reason")
    }
    for reason in sorted(reasons):
        st.caption(f"{reason[:1].upper()}{plain(reason[1:])}.")


@access.offers("keep")
def keep(settings: Settings, run: Run) -> None:
    """The card to edit, and the button that puts the network among the checkpoints."""
    st.subheader("Keep this network", anchor=False)
    places = {place.name: place for place in run.checkpoints}
    if not places:
        st.caption("This run left no network.")
        return
    name = next(iter(places))
    if len(places) > 1:
        name = st.radio(
            "Which state of it",
            list(places),
            format_func=lambda key: (
                f"where the {_watched(run)}validation images liked it best"
                if key.endswith("-best")
                else "as it was at the end"
            ),
            key=f"keep-which-{run.id}",
            horizontal=True,
        )
    source = places[name]
    key = f"promote {source}"
    state = background.outcome(settings, key)
    if state == "live":
        background.watch(settings, key, "keep")
        return
    kept = _kept_as(settings, source)
    if kept:
        st.success(
            f"Kept as **{plain(kept)}**: it is in every page's picker.", icon=":material/check:"
        )
        _compare(settings, run, kept)
    elif state == "ended":
        background.explain(settings, key)
    _card_form(settings, run, source, key, bool(kept))
    _downloads(settings, run, source, kept)


def _watched(run: Run) -> str:
    """``72 ``, how many images "best" stands on; of older runs nothing."""
    images = read_curves(run.folder).final("validation_images")
    return f"{images:,.0f} " if images else ""


def held_out_set(settings: Settings, id: str) -> Path:
    """Where the images that a kept network was not trained on stand as a set of the library."""
    return settings.home / "sets" / f"{id}-held-out.parquet"


def _card_form(settings: Settings, run: Run, source: Path, key: str, again: bool) -> None:
    card = read_json(source / CARD) or {}
    box = st.expander("Keep it again under another name") if again else st.container(border=True)
    with box, st.form(f"keep-{run.id}-{source.name}", border=False):
        wanted = free_checkpoint_id(str(run.title), settings)
        id = st.text_input(
            "Id", wanted, help="In links and on the command line: small letters, digits, '-'."
        )
        edits = {}
        for name, (label, help_, lines) in _FIELDS.items():
            first = run.title if name == "title" else str(card.get(name, ""))
            if lines > 1:
                edits[name] = st.text_area(label, first, help=help_, height=80)
            else:
                edits[name] = st.text_input(label, first, help=help_)
        edits |= _data_fields(card)
        if st.form_submit_button(
            "Keep among the networks", type="primary", icon=":material/bookmark_add:"
        ):
            _begin(settings, run, source, key, id.strip(), edits)


def _data_fields(card: dict[str, Any]) -> dict[str, str]:
    """What the card says of the images; to edit where they are one set."""
    sets = [item for item in card.get("data", []) if isinstance(item, dict)]
    names = ", ".join(plain(str(item.get("name", ""))) for item in sets)
    st.caption(f"Trained on: {names or 'unknown'}. Counts and measures stand on the card as well.")
    if len(sets) != 1:
        return {}
    return {
        f"data_{key}": st.text_input(label, str(sets[0].get(key, "")), help=help_)
        for key, (label, help_) in _DATA_FIELDS.items()
    }


@access.acts("keep")
def _begin(
    settings: Settings, run: Run, source: Path, key: str, id: str, edits: dict[str, str]
) -> None:
    try:
        check_id(id, settings)
    except EmovizError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    command = ["promote", str(source), id, "--run", str(run.folder)]
    for name, text in edits.items():
        command.append(f"--{name.replace('_', '-')}={text}")
    background.begin(settings, f"Keeping {run.title}", command, key)
    st.rerun()


def _kept_as(settings: Settings, source: Path) -> str:
    """The id of this very network among the checkpoints; empty where it is none."""
    own = read_json(source / CARD) or {}
    wanted = own.get("weights_sha256")
    found = (item.card for item in list_checkpoints(settings)[0])
    same = [card.id for card in found if wanted and card.weights_sha256 == wanted]
    return same[-1] if same else ""


def _compare(settings: Settings, run: Run, id: str) -> None:
    """Side by side with its parent on images that the new network was not trained on."""
    known = {item.card.id: item for item in list_checkpoints(settings)[0]}
    network = run.recipe.get("network")
    parent = str(network.get("start") or "") if isinstance(network, dict) else ""
    other = parent if parent in known else next((c for c in known if c != id), "")
    with st.container(horizontal=True):
        if other and st.button(
            f"Compare with {readable(known[other].card.title)}",
            icon=":material/compare:",
            key=f"compare-{run.id}",
            type="primary",
        ):
            _switch(settings, id, other)
        if st.button("Try it on images", icon=":material/image_search:", key=f"try-{run.id}"):
            st.switch_page("pages/predict/classify.py", query_params={"checkpoint": id})


def _switch(settings: Settings, id: str, other: str) -> None:
    """To the comparison, on the images held out."""
    query = {"checkpoint": id}
    place = held_out_set(settings, id).absolute()
    key = next((s.key for s in sources.known(settings) if Path(s.path) == place), "")
    if key:
        query["collection"] = key
    st.switch_page(_COMPARE, query_params={**query, "pair": other})


@access.offers("keep")
def _downloads(settings: Settings, run: Run, source: Path, kept: str) -> None:
    with st.container(horizontal=True):
        st.download_button(
            "Weights and card",
            lambda: weights_archive(source, run),
            f"{source.name}.zip",
            "application/zip",
            key=f"zip-{run.id}-{source.name}",
            on_click="ignore",
            icon=":material/download:",
            help="A ZIP with model.safetensors, card.json and the measures; unpacked into a "
            "`checkpoints` folder it is in that emoviz's pickers.",
        )
        graph = settings.user_checkpoints / kept / "graph.onnx" if kept else source / "graph.onnx"
        if graph.is_file():
            st.download_button(
                "ONNX",
                lambda: onnx_archive(graph.parent),
                f"{source.name}-onnx.zip",
                "application/zip",
                key=f"onnx-{run.id}-{source.name}",
                on_click="ignore",
                icon=":material/download:",
                help="The network for ONNX Runtime, with its weights beside it.",
            )
        else:
            st.caption("ONNX can be downloaded once the network is kept.")


def weights_archive(source: Path, run: Run) -> bytes:
    """Weights, card and measures as a ZIP with one folder, which is a checkpoint."""
    files = {name: source / name for name in (WEIGHTS, CARD, MODEL_CARD)}
    return _zipped({**files, MEASURES: run.folder / MEASURES}, source.name)


def onnx_archive(folder: Path) -> bytes:
    """A checkpoint's graph with its weights and its card beside it, as a ZIP with one folder."""
    return _zipped(
        {name: folder / name for name in ("graph.onnx", WEIGHTS, CARD, MODEL_CARD)}, folder.name
    )


def _zipped(files: dict[str, Path], folder: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, path in files.items():
            if path.is_file():
                archive.write(path, f"{folder}/{name}")
    return buffer.getvalue()


def _shown(key: str, values: Mapping[str, Any]) -> str:
    """A value with its interval; of older runs the value alone."""
    row = values.get("intervals", {}).get(key)
    if row is None:
        row = {"value": values.get(key)}
    return numbers.with_interval(MetricEstimate(**row), METRICS[key])
