"""Sweeps: what is varied, and which network is best."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from emoviz import jobs
from emoviz.errors import EmovizError
from emoviz.plots.training import parallel_coordinates
from emoviz.settings import Settings
from emoviz.training.recipe import Recipe
from emoviz.training.runs import CELLS, SHORT_NAMES, RunState, in_words, read_run
from emoviz.training.sweep import (
    MEASURES,
    STUDIES,
    SweepPlan,
    SweepRow,
    best_row,
    parse_vary,
    read_sweep,
    sweep_rows,
)
from emoviz.ui import tables
from emoviz.ui.linked import write_parameter
from emoviz.ui.training import work
from emoviz.ui.words import counted, plain

PAUSED = 3  # exit code of a training that was asked to pause
_MEASURE_WORDS = {"ari": "ARI", "nmi": "NMI", "asr": "ASR"}
_MOST_CURVES = 12
_KEYS = {
    "loss.beta": "β, strength of the center loss",
    "loss.lambda": "λ, weight of pushing apart",
    "loss.margin": "m, margin between centers",
    "network.layers": "layers with Gram modules",
    "phases.0.learning_rate": "learning rate",
    "seed": "seed",
}
_EXAMPLES = {
    "loss.beta": "0, 0.01, 0.1",
    "loss.lambda": "1, 10",
    "loss.margin": "3, 5, 10",
    "network.layers": "[2]; [1, 2]; [1, 2, 3]",
    "phases.0.learning_rate": "0.001, 0.002",
    "seed": "0, 1, 2",
}


def offer(settings: Settings, recipe: Recipe, table: str, title: str) -> None:
    """Several networks instead of one: a study of the dissertation, or values of one's own."""
    st.markdown(
        "The same training again and again with other values; the features of the images are "
        "shared. The network that is best on validation images is named at the end."
    )
    studies = st.columns(2)
    for place, (name, (key, values)) in zip(studies, STUDIES.items(), strict=True):
        with place:
            words = ", ".join(f"{value:g}" for value in values)
            plan = _study(recipe, table, title, name, key, values)
            st.button(
                f"Study of {name}: {words}",
                key=f"study-{name}",
                icon=":material/experiment:",
                on_click=_begin,
                args=(settings, plan),
                disabled=not recipe.network.layers,
                help=f"The dissertation's values of {name}, one network each.",
                width="stretch",
            )
    rows = [
        {"vary": key in ("loss.beta", "seed"), "what": words, "values": _EXAMPLES[key]}
        for key, words in _KEYS.items()
    ]
    edited = st.data_editor(
        pd.DataFrame(rows, index=list(_KEYS)),
        key="sweep-values",
        hide_index=True,
        disabled=["what"],
        column_config={
            "vary": st.column_config.CheckboxColumn("Vary", width="small"),
            "what": st.column_config.TextColumn("What"),
            "values": st.column_config.TextColumn(
                "Values", help="With commas between; lists with semicolons."
            ),
        },
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        draws = st.number_input(
            "At most so many, drawn at random (0: all)", 0, 200, 0, key="sweep-draws", width=300
        )
        by = st.selectbox(
            "Best by", list(MEASURES), key="sweep-by", width=160, help="Of the validation images."
        )
        own = _plan(recipe, table, title, edited, int(draws), by)
        st.button(
            "Start the sweep",
            key="sweep-start",
            icon=":material/play_arrow:",
            on_click=_begin,
            args=(settings, own),
            disabled=own is None,
        )


def state(folder: Path, job: jobs.Job | None) -> RunState:
    """How a sweep whose process is gone stands."""
    rows = sweep_rows(folder)
    if rows and all(row.state in ("done", "failed") for row in rows):
        return "done"
    if any(row.state == "paused" for row in rows) or (job is not None and job.code == PAUSED):
        return "paused"
    return "lost" if rows else "new"


def show(settings: Settings, folder: Path) -> None:
    """A sweep's table and lines; the best network leads to its run."""
    found = read_sweep(folder)
    rows = sweep_rows(folder)
    if found is None or not rows:
        st.caption("The table appears with the first network.")
        return
    by = str(found.get("by", "accuracy"))
    by = st.selectbox(
        "Best by",
        list(MEASURES),
        list(MEASURES).index(by) if by in MEASURES else 0,
        format_func=lambda name: _MEASURE_WORDS.get(name, name),
        key=f"sweep-shown-{folder.name}",
        width=200,
        help="Of the validation images; the test images do not choose.",
    )
    best = best_row(rows, by)
    done = [row for row in rows if row.state == "done"]
    st.markdown(f"**{len(done)} of {counted(len(rows), 'network')}** trained.")
    tables.show(_table(rows, best), f"sweep-table-{folder.name}", index=False)
    st.caption(
        "Percent, but for the entropy. All of validation images, the last column of test images. "
        "More is better but for ASR and entropy."
    )
    _over_seeds(done, by)
    if len(done) > 1:
        words = _MEASURE_WORDS.get(by, by)
        figure = parallel_coordinates(
            [_settings(row.settings) for row in done], [row.values.get(by) for row in done], by
        )
        st.markdown(f"**From values to {words}**: one line for each network.")
        st.plotly_chart(figure, key="sweep-lines", config={"displayModeBar": False})
    if best is not None:
        _leads(settings, folder, done, best, by)


def _table(rows: Sequence[SweepRow], best: SweepRow | None) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                **_settings(row.settings),
                "state": "best" if row is best else row.state,
                **{
                    _MEASURE_WORDS.get(name, name): _percent(name, row.values.get(name))
                    for name in _COLUMNS
                },
            }
            for row in rows
        ]
    )


def _over_seeds(done: Sequence[SweepRow], by: str) -> None:
    """Mean and deviation over the seeds, where seeds and something else were varied."""
    groups: dict[tuple[tuple[str, str], ...], list[float]] = {}
    for row in done:
        rest = {k: v for k, v in _settings(row.settings).items() if k != "seed"}
        value = row.values.get(by)
        if value is not None:
            groups.setdefault(tuple(rest.items()), []).append(value)
    if len(groups) < 2 or max(map(len, groups.values())) < 2:
        return
    scale, words = (1.0 if by == "entropy" else 100.0), _MEASURE_WORDS.get(by, by)
    table = [
        {
            **dict(key),
            f"{words}, mean": round(scale * float(np.mean(values)), 3 if scale == 1.0 else 1),
            "± SD": round(scale * float(np.std(values, ddof=1)), 3 if scale == 1.0 else 1)
            if len(values) > 1
            else None,
            "seeds": len(values),
        }
        for key, values in groups.items()
    ]
    st.markdown("**Over the seeds**")
    tables.show(pd.DataFrame(table), "sweep-seeds", index=False)


def _leads(
    settings: Settings, folder: Path, done: Sequence[SweepRow], best: SweepRow, by: str
) -> None:
    """In words which is best, and the ways to the runs."""

    def id_of(row: SweepRow) -> str:
        return read_run(settings.runs, folder / CELLS / row.name).id

    said = ", ".join(map(in_words, best.settings))
    st.markdown(
        f"Best by {_MEASURE_WORDS.get(by, by)}: **{plain(said)}**. With few validation images the "
        "order of the first ones is chance: repeat with several seeds."
    )
    with st.container(horizontal=True):
        if st.button("Look at the best network", icon=":material/trophy:", key="sweep-best"):
            st.switch_page("pages/train/runs.py", query_params={"run": id_of(best)})
        if len(done) > 1 and st.button(
            "Lay their curves over each other", icon=":material/show_chart:", key="sweep-curves"
        ):
            ids = ",".join(id_of(row) for row in done[:_MOST_CURVES])
            st.switch_page("pages/train/runs.py", query_params={"run": ids})


_COLUMNS = ("accuracy", "ari", "nmi", "asr", "entropy", "test accuracy")


def _settings(texts: tuple[str, ...]) -> dict[str, str]:
    """Short words -> value."""
    pairs = [text.split("=", 1) for text in texts]
    return {SHORT_NAMES.get(key, key): value for key, value in pairs}


def _percent(name: str, value: float | None) -> float | None:
    if value is None:
        return None
    return round(value if name == "entropy" else 100 * value, 3 if name == "entropy" else 1)


def _study(
    recipe: Recipe, table: str, title: str, name: str, key: str, values: tuple[float, ...]
) -> SweepPlan:
    kept = recipe
    if name == "margin" and not recipe.loss.beta:
        kept = replace(recipe, loss=replace(recipe.loss, beta=0.5))
    vary = {key: tuple(f"{value:g}" for value in values)}
    return SweepPlan(kept, (table,), vary, title=f"{title}: study of {name}")


def _plan(
    recipe: Recipe, table: str, title: str, edited: pd.DataFrame, draws: int, by: str
) -> SweepPlan | None:
    """The sweep that was put together; None, with the reason on the page, where it is none."""
    chosen = edited[edited["vary"]]
    try:
        vary = parse_vary([f"{key}={row['values']}" for key, row in chosen.iterrows()])
        plan = SweepPlan(recipe, (table,), vary, by, draws, title=f"{title}: sweep")
        count = len(plan.recipes())
    except EmovizError as error:
        st.caption(f":material/error: {plain(str(error))}")
        return None
    st.caption(f"{counted(count, 'network')}")
    return plan


def _begin(settings: Settings, plan: SweepPlan | None) -> None:
    folder = work.start_sweep(settings, plan) if plan is not None else None
    if folder is not None:
        write_parameter("run", folder.name)
