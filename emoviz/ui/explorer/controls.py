"""What is looked at: collection, second checkpoint, kind of map, colours; kept in the link."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from emoviz.checkpoints import Checkpoint, list_checkpoints
from emoviz.settings import Settings
from emoviz.ui.explorer.points import Points
from emoviz.ui.linked import from_link, linked_choice, write_parameter
from emoviz.ui.words import readable

NOBODY = "none"


@dataclass(frozen=True)
class MapKind:
    """One way of drawing u on a plane or in space."""

    method: str
    dimensions: int
    words: str


MAPS: Mapping[str, MapKind] = {
    "umap": MapKind("umap", 2, "UMAP"),
    "umap3": MapKind("umap", 3, "UMAP, three dimensions"),
    "tsne": MapKind("tsne", 2, "t-SNE"),
    "pca": MapKind("pca", 2, "PCA"),
    "pca3": MapKind("pca", 3, "PCA, three dimensions"),
}
_HELP = (
    "How vectors of a hundred numbers are laid out flat. UMAP and t-SNE keep neighbours together; "
    "distances between far islands mean little; t-SNE takes minutes for thousands of images. PCA "
    "is a plain projection: it keeps the largest differences and hides the rest."
)


def second_checkpoint(settings: Settings, first: Checkpoint) -> Checkpoint | None:
    """A checkpoint to stand beside the chosen one, or None."""
    others = {c.card.id: c for c in list_checkpoints(settings)[0] if c.card.id != first.card.id}
    words = {name: readable(other.card.title) for name, other in others.items()}
    chosen = linked_choice(
        "Beside it",
        {NOBODY: "nothing", **words},
        "beside",
        help="A second network on the same images. What you select on one map lights up on the "
        "other: compare a network with its baseline.",
    )
    return others.get(chosen)


def map_kind() -> MapKind:
    """How u is laid out."""
    words = {name: kind.words for name, kind in MAPS.items()}
    return MAPS[linked_choice("Map", words, "map", help=_HELP)]


def map_settings(kind: MapKind) -> tuple[int, dict[str, Any]]:
    """Seed and settings of the method; the link and the stored map keep them."""
    with st.popover("Settings", icon=":material/tune:", help="How the map is drawn"):
        if kind.method == "pca":
            st.caption("PCA has no settings: the same vectors always give the same map.")
            return 0, {}
        asked = from_link("seed")  # a bound number of 400 digits would end the page in Streamlit
        if asked is not None or "seed" not in st.session_state:
            known = re.fullmatch("[0-9]{1,9}", asked or "0")
            st.session_state["seed"] = int(known[0]) if known else 0
        seed = st.number_input(
            "Seed", 0, 2**31, key="seed", persist_state="session", help="Another draw of the map."
        )
        write_parameter("seed", str(seed or ""))
        chosen = _umap_settings() if kind.method == "umap" else _tsne_settings()
    return int(seed), chosen


def _umap_settings() -> dict[str, Any]:
    return {
        "n_neighbors": st.slider(
            "Neighbours",
            2,
            100,
            15,
            key="neighbours",
            bind="query-params",
            help="Few show fine groups, many show the large picture.",
        ),
        "min_dist": st.slider(
            "Least distance",
            0.0,
            1.0,
            0.1,
            0.05,
            key="distance",
            bind="query-params",
            help="How tightly alike images are packed.",
        ),
    }


def _tsne_settings() -> dict[str, Any]:
    return {
        "perplexity": st.slider(
            "Perplexity",
            5.0,
            100.0,
            30.0,
            5.0,
            key="perplexity",
            bind="query-params",
            help="About how many neighbours count: few show fine groups, many the large picture.",
        )
    }


def colour_by(names: Sequence[str]) -> str:
    """By what the points are coloured."""
    return linked_choice("Colour by", {name: name for name in names}, "colour")


def wanted_text() -> str:
    """What to look for in names and metadata."""
    return (
        st.text_input(
            "Find",
            key="find",
            bind="query-params",
            placeholder="name, artist, style …",
            persist_state="session",
            type="search",
            help="Images whose name or metadata hold these letters stay bright, the others fade.",
            width=210,
        )
        or ""
    ).strip()


def show_centers(points: Points) -> bool:
    """Whether class centers are drawn into the map."""
    if points.taxonomy is None:
        return False
    return st.toggle(
        "Class centers",
        key="centers",
        bind="query-params",
        persist_state="session",
        help="Where the network has the middle of each emotion: learned, or the mean of the images "
        "that it calls so. Drawn amid the images nearest to it.",
    )
