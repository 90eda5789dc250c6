"""All runs: a table, curves laid over each other, differences of settings, notes, delete, undo."""

import pandas as pd
import streamlit as st

from emoviz.analysis.resampling import MetricEstimate, share
from emoviz.errors import EmovizError
from emoviz.plots.training import accuracy_curves
from emoviz.settings import Settings
from emoviz.training.recipe import Recipe
from emoviz.training.runs import (
    Run,
    bring_back,
    differences,
    find_run,
    list_runs,
    read_curves,
    remove,
    write_notes,
)
from emoviz.training.sweep import MEASURES, recipe_text
from emoviz.ui import access, removed, tables
from emoviz.ui.training import watching, work
from emoviz.ui.words import counted, plain, readable

_KEY = "runs"
_MOST_SHOWN = 300


def listed(settings: Settings) -> list[Run]:
    """The runs that there are, with what can be undone above them."""
    for note in st.session_state.pop("runs-notes", []):
        st.warning(note, icon=":material/error:")
    removed.undo_bar(_KEY, "train", "was deleted.", _bring_back, settings)
    return list_runs(settings.runs)[:_MOST_SHOWN]


def choose(runs: list[Run]) -> list[Run]:
    """The table; the rows that are ticked are looked at, the link's run to begin with."""
    asked = st.query_params.get("run", "").split(",")
    first = [i for i, run in enumerate(runs) if run.id in asked] or [0]
    table = pd.DataFrame([_row(run) for run in runs])
    event = st.dataframe(
        table,
        key="runs-table",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": first}},
        height=min(38 + 35 * len(runs), 360),
        column_config={"run": st.column_config.TextColumn(width=330)},
    )
    tables.offer(table, "runs-table")
    rows = [row for row in event.selection.rows if row < len(runs)]
    return [runs[row] for row in rows]


def compare(chosen: list[Run]) -> None:
    """Curves of several runs, and in what they differ."""
    measure = st.segmented_control(
        "Measure of validation images",
        list(MEASURES),
        format_func=lambda name: name.upper() if len(name) == 3 else name,
        default="accuracy",
        key="runs-measure",
    )
    names = _short_names([readable(run.title) for run in chosen])
    pairs = [(name, read_curves(run.folder)) for name, run in zip(names, chosen, strict=True)]
    line = next((run.probe.get("validation") for run in chosen if run.probe), None)
    figure = accuracy_curves(pairs, line, measure or "accuracy")
    st.plotly_chart(figure, key="runs-curves", config={"displaylogo": False})
    found = differences(chosen)
    if not found:
        st.caption("Their settings are the same.")
        return
    st.markdown("**In what they differ**")
    columns = {key: [_text(value) for value in row] for key, row in found.items()}
    index = [f"{number}. {name}" for number, name in enumerate(names, start=1)]
    tables.show(pd.DataFrame(columns, index=index), "runs-differences")


def _short_names(titles: list[str]) -> list[str]:
    """What tells runs apart: of networks of one sweep what was varied alone."""
    parts = [title.partition(": ") for title in titles]
    if len({rest for _, _, rest in parts}) > 1 or not all(rest for _, _, rest in parts):
        return titles
    return [varied for varied, _, _ in parts]


@access.offers("train")
def notes(settings: Settings, run: Run) -> None:
    """Its name and a note, kept in the run."""
    known = run.notes
    with st.expander("Name and notes", icon=":material/edit_note:"), st.form(f"notes-{run.id}"):
        title = st.text_input("Name", run.title, max_chars=80)
        text = st.text_area("Notes", str(known.get("text", "")), height=100)
        if st.form_submit_button("Save"):
            try:
                write_notes(run.folder, title=title.strip(), text=text)
            except OSError as error:
                st.error(f"The notes cannot be kept: {plain(str(error))}")
            else:
                st.rerun()


def actions(settings: Settings, run: Run) -> None:
    """The recipe, the command line, the page that watches, delete."""
    recipe = watching.recipe_of(run.folder, run)
    with st.container(horizontal=True):
        if st.button("Watch", icon=":material/monitoring:", key=f"watch-{run.id}"):
            st.switch_page("pages/train/retrain.py", query_params={"run": run.id})
        if recipe is not None:
            _recipe(recipe, run)
        _delete_button(settings, run)
    if work.can_go_on(run.folder) and access.allowed("train"):
        with st.expander("The same on the command line", icon=":material/terminal:"):
            st.code(work.command_line(run.folder), language="bash", wrap_lines=True)
            st.caption(
                "TensorBoard reads the curves, too: tensorboard --logdir "
                f"{plain(str(run.folder / 'events'))}"
            )


@access.offers("train")
def _delete_button(settings: Settings, run: Run) -> None:
    st.button(
        "Delete",
        icon=":material/delete:",
        key=f"delete-{run.id}",
        on_click=_remove,
        args=(settings, run.id),
        disabled=run.state == "at work",
        help="The run with its networks; those that were kept stay. It can be undone.",
    )


def _recipe(recipe: Recipe, run: Run) -> None:
    st.download_button(
        "Recipe",
        recipe_text(recipe),
        "recipe.yaml",
        "application/yaml",
        key=f"recipe-{run.id}",
        on_click="ignore",
        icon=":material/download:",
    )


def _row(run: Run) -> dict[str, object]:
    curves = read_curves(run.folder)
    accuracy, seen = curves.final("validation_accuracy"), curves.final("validation_images")
    watched = None
    if accuracy is not None:
        watched = share(round(accuracy * seen), int(seen)) if seen else MetricEstimate(accuracy)
    return {
        "run": readable(run.title),
        "state": run.state,
        "begun (UTC)": str(run.settings.get("started", ""))[:16].replace("T", " "),
        "epochs": len(curves.epochs),
        "accuracy, validation": _accuracy(watched),
        "accuracy, test": _accuracy(run.tested),
        "linear probe, test": _accuracy(run.probe_tested),
        "learned from": ", ".join(_table(t) for t in run.settings.get("tables", [])),
        "folder": run.id,
    }


def _accuracy(item: MetricEstimate | None) -> str:
    """``71.2 % (66.0 to 76.0), n 303``."""
    if item is None or item.value is None:
        return ""
    words = f"{100 * item.value:.1f} %"
    if item.low is None or item.high is None:
        return words
    return f"{words} ({100 * item.low:.1f} to {100 * item.high:.1f}), n {item.n:,}"


def _table(entry: object) -> str:
    text = str(entry.get("table", "")) if isinstance(entry, dict) else ""
    return readable("/".join(text.rsplit("/", 2)[-2:]))


def _text(value: object) -> str:
    return "–" if value is None else readable(str(value))[:80]


@access.acts("train")
def _remove(settings: Settings, id: str) -> None:
    try:
        run = find_run(settings.runs, id)
        job = work.job_of(settings, run.folder)
        if job is not None and job.is_live:
            work.cancel(job)
        remove(settings.runs, id)
    except (EmovizError, OSError) as error:
        st.session_state["runs-notes"] = [plain(str(error))]
        return
    removed.remember(_KEY, id)
    st.query_params.pop("run", None)


def _bring_back(settings: Settings, id: str) -> None:
    bring_back(settings.runs, id)


def say_where(settings: Settings, runs: list[Run]) -> None:
    """How many there are, and where others go to be seen here."""
    st.caption(
        f"{counted(len(runs), 'run')} in {plain(str(settings.runs))}. What is trained from the "
        "command line without `--run` lands there too."
    )
