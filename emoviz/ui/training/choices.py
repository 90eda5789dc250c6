"""What is trained and how: each choice with a sentence and the paper's value; what it will cost."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import streamlit as st

from emoviz.checkpoints import Checkpoint, list_checkpoints
from emoviz.data.dataset import Dataset
from emoviz.data.dataset_file import KnownSet
from emoviz.errors import EmovizError
from emoviz.labels import Taxonomy, bridge_between
from emoviz.settings import Settings
from emoviz.training import trackers
from emoviz.training.cost import DurationEstimate, Shape, estimate, measure_network
from emoviz.training.recipe import Recipe
from emoviz.training.simple_recipe import (
    BACKBONES,
    Augmentation,
    Choices,
)
from emoviz.ui.linked import linked_choice, write_parameter
from emoviz.ui.words import duration, plain, readable

_WHAT: Mapping[str, str] = {
    "probe": "Linear probe, a first try",
    "heads": "Heads on kept features",
    "all": "The whole network",
}
_WHAT_WORDS: Mapping[str, str] = {
    "probe": "A straight line through what the backbone knows already: seconds, and the line that "
    "anything larger has to beat.",
    "heads": "Gram modules, projection and classifier learn; the backbone stays as it is, so that "
    "each image passes it only once. Seconds to minutes: the right choice for most sets.",
    "all": "Everything learns, from fresh views of each image. Minutes to hours on a processor; "
    "worth it from a few thousand images on.",
}
_STYLES: Mapping[str, str] = {"small": "For small sets", "paper": "As in the dissertation"}
_PAPER = Choices(
    beta=0.5,
    lambda_=1.0,
    margin=5.0,
    epochs=20,
    learning_rate=0.02,
    batch=256,
    augmentation="paper",
    optimiser="sgd",
)
_VIEWS: Mapping[str, str] = {
    "none": "none: the image as it is",
    "gentle": "gentle: parts of it, mirrored, other light",
    "paper": "as in the paper: small parts, mirrored, RandAugment",
}


def choose(settings: Settings, known: KnownSet) -> tuple[Choices, Checkpoint | None, Taxonomy]:
    """What a person chose, the checkpoint to begin with, and what will be told apart."""
    start = _start(settings)
    what = _segments("What is trained", _WHAT, "what", "heads")
    st.caption(_WHAT_WORDS[what])
    classes = _classes(known, start)
    name = st.text_input(
        "Name",
        f"{known.title}, {_WHAT[what].split(',')[0].lower()}"[:60],
        key=f"retrain-name-{known.id}-{what}",
        max_chars=60,
        help="What you call the network; it can be changed later.",
    )
    backbone = start.card.backbone if start else _backbone()
    size = start.card.preprocessing.size if start else BACKBONES[backbone][1]
    base = Choices(
        name=name.strip() or "My network",
        what=what,  # type: ignore[arg-type]
        start=start.card.id if start else "",
        backbone=backbone,
        size=size,
        validation=0.15 if known.count >= 200 else 0.2,
        test=0.15 if known.count >= 200 else 0.2,
    )
    with st.expander("Settings", icon=":material/tune:"):
        return _settings(base), start, classes


def show_cost(
    recipe: Recipe, labelled: Dataset, kept_before: bool, settings: Settings
) -> DurationEstimate | None:
    """Time and memory on this machine; None where the network cannot be built."""
    try:
        device = _device(recipe, settings)
        key = (recipe.network.backbone, recipe.network.layers, recipe.input.size, device)
        shape, seconds = _measured(key, recipe, device)
    except EmovizError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None
    cost = estimate(recipe, len(labelled.records), seconds, shape)
    parts = []
    if cost.seconds_reading and not kept_before:
        parts.append(f"about **{duration(cost.seconds_reading)}** to look at the images once")
    parts.append(f"about **{duration(cost.seconds_training)}** to train")
    line = f"{' and '.join(parts)}, **{cost.memory / 1e9:.1f} GB** of memory"
    if cost.disk:
        line += (
            f"; {cost.disk / 1e6:,.0f} MB on the disk for the features "
            f"({cost.bytes_a_view / 1e6:.2f} MB for each image and view)"
        )
    st.markdown(f":material/timer: {line[0].upper()}{line[1:]}, on the {_where(device)}.")
    if cost.memory > 0.6 * _memory():
        st.warning(
            f"This machine has {_memory() / 1e9:.0f} GB of memory. Take fewer views, or sampled "
            "maps (Settings), or a smaller batch.",
            icon=":material/memory:",
        )
    room = _room(settings)
    if cost.disk > room:
        st.warning(
            f"The disk has room for {room / 1e6:,.0f} MB. The training works all the same, but the "
            "features cannot be kept, so that the next one looks at all images again.",
            icon=":material/hard_drive:",
        )
    return cost


def _start(settings: Settings) -> Checkpoint | None:
    found = [
        item
        for item in list_checkpoints(settings)[0]
        if len(item.card.members) == 1 and item.card.network.get("module") != "gathered"
    ]
    by_id = {item.card.id: item for item in found}
    words = {name: readable(item.card.title or name) for name, item in by_id.items()}
    chosen = linked_choice(
        "Starting point",
        {**words, "none": "ImageNet's weights: a backbone that knows no emotions"},
        "from",
        "mikels8",
        help="A trained network to go on from, or a backbone. What fits is taken along: all of it "
        "where classes and modules are the same, else the backbone and the modules.",
        width=380,
    )
    return by_id.get(chosen)


def _backbone() -> str:
    return linked_choice(
        "Backbone",
        {name: words for name, (words, _) in BACKBONES.items()},
        "backbone",
        help="Weights that are not here are fetched once from timm's model hub.",
        width=380,
    )


def _classes(known: KnownSet, start: Checkpoint | None) -> Taxonomy:
    """The set's own labels, or those of the starting point where a bridge joins them."""
    own = known.taxonomy
    if start is None or start.card.taxonomy.names == own.names:
        return own
    try:
        bridge_between(start.card.taxonomy, own)
    except EmovizError:
        return own
    taken = st.radio(
        "Classes of the new network",
        ["own", "start"],
        format_func=lambda key: (
            f"those of the set: {readable(own.title)}"
            if key == "own"
            else f"those of the starting point: {readable(start.card.taxonomy.title)}"
        ),
        key=f"retrain-classes-{known.id}-{start.card.id}",
        help="The labels differ. With the starting point's classes the set's labels come in "
        "through a bridge: joy may be any of the pleasant emotions.",
    )
    return own if taken == "own" else start.card.taxonomy


def _settings(base: Choices) -> Choices:
    style = _segments("Values", _STYLES, "style", "small")
    first = (
        base
        if style == "small"
        else replace(
            _PAPER, **{k: getattr(base, k) for k in ("name", "what", "start", "backbone", "size")}
        )
    )
    first = replace(first, validation=base.validation, test=base.test)
    if base.what == "all" and style == "small":
        first = replace(first, epochs=5, batch=32, learning_rate=1e-3)
    place = f"{base.what}-{style}"
    left, middle, right = st.columns(3, gap="medium")
    with left:
        first = _loss(first, place)
    with middle:
        first = _steps(first, place)
    with right:
        return _images(first, place)


def _loss(base: Choices, place: str) -> Choices:
    if base.what == "probe":
        st.caption("A linear probe has no Gram modules and no contrastive-center loss.")
        return base
    fixed = bool(base.start)
    modules = st.select_slider(
        "Gram modules v",
        [0, 1, 2, 3, 4],
        base.modules,
        key=f"retrain-v-{place}",
        help="How many layers give their textures. Paper: v = 3, on the second to fourth stage."
        + (" Another number than the starting point's begins its modules anew." if fixed else ""),
    )
    beta = st.number_input(
        "β, strength of the center loss",
        0.0,
        100.0,
        base.beta,
        0.01,
        format="%g",
        key=f"retrain-beta-{place}",
        help="How hard images are pulled to the center of their class; 0 turns it off. Paper: 0.5.",
    )
    lam = st.number_input(
        "λ, weight of pushing centers apart",
        0.0,
        1000.0,
        base.lambda_,
        0.5,
        format="%g",
        key=f"retrain-lambda-{place}",
        help="Within that loss, pushing apart against pulling in. Paper: 1; on some sets 5 or 100.",
    )
    margin = st.number_input(
        "m, margin between centers",
        0.1,
        100.0,
        base.margin,
        0.5,
        format="%g",
        key=f"retrain-margin-{place}",
        help="Centers nearer than this are pushed apart. Paper: 5.",
    )
    return replace(base, modules=modules, beta=beta, lambda_=lam, margin=margin)


def _steps(base: Choices, place: str) -> Choices:
    epochs = st.number_input(
        "Epochs",
        1,
        10_000,
        base.epochs,
        key=f"retrain-epochs-{place}",
        help="How often each image is learned from. Paper: 20.",
    )
    rate = st.number_input(
        "Learning rate",
        1e-6,
        10.0,
        base.learning_rate,
        format="%g",
        key=f"retrain-rate-{place}",
        help="The length of a step; too large and the loss runs wild. Paper: 0.02, with SGD and "
        "warm restarts; small sets do better with AdamW and 0.002.",
    )
    batch = st.number_input(
        "Batch",
        2,
        4096,
        base.batch,
        key=f"retrain-batch-{place}",
        help="Images a step. Paper: 256; where memory is short it is cut into pieces, with the "
        "same result.",
    )
    seed = st.number_input(
        "Seed",
        0,
        10_000,
        base.seed,
        key=f"retrain-seed-{place}",
        help="Another number repeats the training with other random draws. Paper: three runs.",
    )
    there = trackers.installed()
    tracker = base.tracker
    if len(there) > 1:
        tracker = st.selectbox(
            "Curves go to",
            there,
            there.index(base.tracker) if base.tracker in there else 0,
            format_func=trackers.TRACKERS.__getitem__,
            key=f"retrain-tracker-{place}",
            help="Kept in the run's folder; nothing is sent anywhere.",
        )
    return replace(base, epochs=epochs, learning_rate=rate, batch=batch, seed=seed, tracker=tracker)


def _images(base: Choices, place: str) -> Choices:
    augmentation = st.selectbox(
        "Views of an image",
        list(_VIEWS),
        list(_VIEWS).index(base.augmentation),
        format_func=_VIEWS.__getitem__,
        key=f"retrain-views-{place}",
        help="Random changes, so that the network does not learn images by heart. Paper: random "
        "parts, mirror images, RandAugment with 2 operations of strength 3.",
    )
    changed = replace(base, augmentation=cast(Augmentation, augmentation))
    if base.what != "all":
        views = st.number_input(
            "Kept views an image",
            1,
            16,
            base.views,
            key=f"retrain-kept-{place}",
            help="One plain and the others random, each read once. Paper: fresh ones each epoch.",
        )
        whole = st.toggle(
            "Whole maps, exactly as the full network",
            base.whole_maps,
            key=f"retrain-whole-{place}",
            help="Off: each step sees 48 places of each map, which needs a quarter of the memory.",
        )
        changed = replace(changed, views=views, whole_maps=whole)
    kept_out = st.slider(
        "Kept out for checking, %",
        10,
        60,
        round(100 * (base.validation + base.test)),
        2,
        key=f"retrain-kept-out-{place}-{base.validation}",
        help="Half of it watches over the training, half is looked at once, at the end. A set that "
        "says itself which image is for what keeps its own split. Paper: 5 and 15 %.",
    )
    return replace(changed, validation=kept_out / 200, test=kept_out / 200)


def _segments(label: str, options: Mapping[str, str], key: str, first: str) -> str:
    """A row of buttons, one of which is always pressed; kept in the link."""
    place = f"retrain-{key}"
    if st.session_state.get(place) not in options:
        asked = st.query_params.get(key, first)
        st.session_state[place] = asked if asked in options else first
    chosen = st.segmented_control(
        label,
        list(options),
        format_func=lambda name: options[name],
        key=place,
        required=True,
        persist_state="session",
    )
    write_parameter(key, "" if chosen in (None, first) else str(chosen))
    return str(chosen or first)


@st.cache_data(max_entries=12, show_spinner="Estimating …")
def _measured(key: tuple[object, ...], _recipe: Recipe, device: str) -> tuple[Shape, float]:
    return measure_network(_recipe, device)


def _device(recipe: Recipe, settings: Settings) -> str:
    if recipe.phases[0].train != "all" or settings.device == "cpu":
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _where(device: str) -> str:
    return "graphics card" if device == "cuda" else "processor"


def _room(settings: Settings) -> float:
    """Bytes that are free where features are kept."""
    place = settings.home
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        return float(shutil.disk_usage(place).free)
    except OSError:
        return float("inf")


def _memory() -> float:
    """Bytes of memory that this machine has."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError, AttributeError):
        return float("inf")
