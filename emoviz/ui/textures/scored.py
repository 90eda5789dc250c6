"""The methods that explain, tested on a whole collection: in the background, kept at home."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from emoviz.files import read_json
from emoviz.ui import access, background, tables
from emoviz.ui.explorer import sources
from emoviz.ui.explorer.sources import Source
from emoviz.ui.models import ready
from emoviz.ui.shell import Context
from emoviz.ui.words import counted, plain

_IMAGES = 30
_GUIDE = (
    "**Deletion**: how many points lower the estimate runs than under random maps while the places "
    "that the method marks most go first. **Insertion**: how many points higher while they come "
    "first. With an interval above 0 the map beats chance. **Disorder**: how alike its map is to "
    "that of a network whose weights are in random order (1 the same, 0 nothing in common): near 1 "
    "the method shows the image and not what the network learned."
)


def show(context: Context, methods: Mapping[str, str]) -> None:
    """An expander with a picker of collections, and the table of its scores or the way to them."""
    place = st.expander(
        "Do the methods mean anything on a whole collection?",
        icon=":material/fact_check:",
        on_change="rerun",
        key="scored-open",
    )
    if not place.open:
        return
    # here: it brings SciPy, which no other part of the first page needs
    from emoviz.experiments.explanation_scores import scores_file

    with place:
        assert context.checkpoint is not None
        source = sources.choose(context.settings, vectors=False)
        model = ready(context.checkpoint, context.settings)
        found = read_json(scores_file(context.settings, model, source.path, _IMAGES))
        if found is not None:
            _table(found, methods)
            return
        key = f"explain {source.path} {context.checkpoint.folder}"
        if background.outcome(context.settings, key) == "live":
            background.watch(context.settings, key)
            return
        background.explain(context.settings, key)
        st.markdown(
            f"Up to {_IMAGES} of its images are explained by each method, and each map is set "
            "against random ones: some minutes. Scores are kept."
        )
        st.button(
            "Test the methods",
            icon=":material/play_arrow:",
            disabled=not access.allowed("compute"),
            on_click=_begin,
            args=(source, context, key),
        )


@access.acts("compute")
def _begin(source: Source, context: Context, key: str) -> None:
    assert context.checkpoint is not None
    command = ["explain", source.path, "--score", "--images", str(_IMAGES)]
    command += ["--checkpoint", str(context.checkpoint.folder)]
    background.begin(context.settings, f"Testing explanations on {source.title}", command, key)


def _table(found: Mapping[str, Any], methods: Mapping[str, str]) -> None:
    from pandas import DataFrame

    rows = [
        {
            "Method": methods[name],
            "Deletion, points": _points(row["deletion"]),
            "Insertion, points": _points(row["insertion"]),
            "Like its map in disorder": _ends(row["likeness"], 1, "{:+.2f}"),
            "So": row["claim"],
        }
        for name, row in found["methods"].items()
    ]
    tables.draw(DataFrame(rows), index=False)
    left = f"; {counted(len(found['problems']), 'image')} could not be read"
    st.caption(
        f"{counted(found['taken'], 'image')} of {found['of']:,} of {plain(found['set'])}"
        f"{left if found['problems'] else ''}. Means with 95 % confidence intervals."
    )
    st.markdown(_GUIDE)


def _points(row: Mapping[str, Any]) -> str:
    return _ends(row, 100, "{:+.1f}")


def _ends(row: Mapping[str, Any] | None, scale: float, form: str) -> str:
    if row is None or row["low"] is None:
        return "not known"
    low, mean, high = (form.format(scale * row[end]) for end in ("low", "mean", "high"))
    return f"{mean} ({low} to {high})"
