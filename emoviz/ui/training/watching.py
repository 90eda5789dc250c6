"""A run at work or done: how far it is, its curves, the class centers, the map that moves."""

import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from emoviz import jobs
from emoviz.plots.centers import distance_heat_map
from emoviz.plots.training import accuracy_curves, cluster_curves, loss_curves, moving_map
from emoviz.settings import Settings
from emoviz.training.folder import wish_of
from emoviz.training.progress import LOG
from emoviz.training.recipe import Recipe
from emoviz.training.recipe_loading import read_recipe
from emoviz.training.runs import RECIPE, Run, TrainingCurves, read_curves, read_run
from emoviz.training.snapshots import Snapshot, read_snapshot, snapshot_files
from emoviz.training.sweep import read_sweep
from emoviz.ui import access, background
from emoviz.ui.training import sweeps, work
from emoviz.ui.words import counted, duration, plain

# Seconds between two drawings; every second and every three took three times the processor time.
_LINE_EVERY, _FIGURES_EVERY = 2.0, 5.0
_QUIET = {"displaylogo": False, "displayModeBar": False}
_MOST_NAMES, _MOST_LINES = 24, 200
_WIDTH = 400  # of a figure, in CSS pixels


def show(settings: Settings, folder: Path) -> Run:
    """Progress with its buttons, then the figures; both draw themselves anew while it works."""
    run = read_run(settings.runs, folder)
    job = work.job_of(settings, folder)
    live = job is not None and job.is_live
    sweep = read_sweep(folder) is not None or (folder / work.BASE).is_file()
    if live:
        st.fragment(run_every=_LINE_EVERY)(_line)(settings, folder)
        if sweep:
            st.fragment(run_every=_FIGURES_EVERY)(sweeps.show)(settings, folder)
            return run
        st.fragment(run_every=_FIGURES_EVERY)(_figures)(settings, folder)
        return run
    if sweep:
        run = replace(run, state=sweeps.state(folder, job))
    _ending(settings, run, job)
    if sweep:
        sweeps.show(settings, folder)
    elif run.settings:
        _figures(settings, folder)
        _told(folder)
    return run


def facts(settings: Settings, folder: Path) -> str:
    """A run in one line: on what, from what, with which values."""
    run = read_run(settings.runs, folder)
    recipe = recipe_of(folder, run)
    if recipe is None:
        return ""
    phase, network, loss = recipe.phases[0], recipe.network, recipe.loss
    heads = "heads on kept features" if network.layers else "linear probe"
    what = {"heads": heads, "tail": "heads and tail"}
    parts = [
        f"{what.get(phase.train, 'the whole network')}, beginning with "
        f"{network.start or network.backbone}",
        f"{counted(len(network.layers), 'Gram module')}",
        f"β = {loss.beta:g}, λ = {loss.lambda_:g}, m = {loss.margin:g}"
        if loss.beta
        else "no center loss",
        f"{counted(phase.epochs, 'epoch')}, batch {phase.batch}, "
        f"learning rate {phase.learning_rate:g}, seed {recipe.seed}",
    ]
    known = str(run.notes.get("set") or "")
    words = "; ".join([f"images: {known}", *parts] if known else parts)
    varied = (folder / work.BASE).is_file()
    return plain(f"where it is not varied: {words}" if varied else words)


def recipe_of(folder: Path, run: Run) -> Recipe | None:
    """What the run trains, from its settings or, before it begins, from the recipe's file."""
    from emoviz.errors import EmovizError

    try:
        if run.recipe:
            return _parsed(json.dumps(run.recipe))  # JSON is YAML
        known = folder / RECIPE
        file = known if known.is_file() else folder / work.BASE
        return _parsed(file.read_text(encoding="utf-8"))
    except (EmovizError, OSError):
        return None


@functools.lru_cache(maxsize=32)
def _parsed(text: str) -> Recipe:
    """Asked for at each drawing."""
    return read_recipe(text)


def _line(settings: Settings, folder: Path) -> None:
    """How far it is, and what one can ask of it."""
    job = work.job_of(settings, folder)
    if job is None or not job.is_live:
        st.rerun()
    wish = wish_of(folder)
    if job.state in ("queued", "waiting"):
        ahead = job.ahead
        words = (
            f"Waiting: {ahead} {'training is' if ahead == 1 else 'trainings are'} before it on "
            "this machine."
            if ahead
            else "Starting …"
        )
        st.progress(0.0, words)
    else:
        st.progress(job.progress.share, _words(folder, job, wish))
    if not access.allowed("train"):
        return
    with st.container(horizontal=True):
        at_work = job.state == "running"
        st.button(
            "Pause",
            icon=":material/pause:",
            key="run-pause",
            on_click=work.pause,
            args=(folder,),
            disabled=not at_work or bool(wish),
            help="Keeps everything and frees the machine; go on whenever you like.",
        )
        st.button(
            "Stop and keep",
            icon=":material/flag:",
            key="run-finish",
            on_click=work.finish,
            args=(folder,),
            disabled=not at_work or bool(wish) or (folder / "sweep.json").exists(),
            help="Ends here: what has been learned is measured and becomes a network.",
        )
        st.button(
            "Cancel",
            icon=":material/stop_circle:",
            key="run-cancel",
            on_click=work.cancel,
            args=(job,),
            help="Ends without a network; the run can be deleted, or taken up again.",
        )


def _words(folder: Path, job: jobs.Job, wish: str) -> str:
    if wish == "pause":
        return "Pausing after this step …"
    if wish == "finish":
        return "Stopping after this step; then it is measured …"
    progress = job.progress
    words = plain(progress.words or "Starting …")
    last = read_curves(folder).last
    if last is not None and "raining" in progress.words:
        rate = f", {last['images_per_second']:,.0f} images a second"
        return f"{words}, about {duration(float(last['seconds_left']))} left{rate}"
    left = progress.seconds_left
    return words if not left else f"{words}, about {duration(left)} left"


def _ending(settings: Settings, run: Run, job: jobs.Job | None) -> None:
    """How a run that is not at work stands, and how to go on."""
    if run.state == "done":
        st.success(
            "Done: trained, and measured on images that it never learned from.",
            icon=":material/check:",
        )
        return
    if run.state == "at work":
        st.info("At work, started from a command line.", icon=":material/terminal:")
        return
    cancelled = job is not None and job.state == "cancelled"
    words = {
        "paused": "Paused. Everything is kept." if not cancelled else "Cancelled. It can go on.",
        "lost": "Lost: its process ended without a word (the machine may have been switched off, "
        "or was short of memory). What was learned up to the last minute is kept.",
        "failed": f"It could not go on: {plain(run.why)}",
        "new": "It has not begun." if not cancelled else "Cancelled before it began.",
    }[run.state]
    if run.state == "new" and job is not None and job.state in ("failed", "lost"):
        words = f"It could not begin. {plain(background.reason(job))}"
    show_words = st.error if run.state in ("failed", "lost") else st.info
    show_words(words, icon=":material/info:" if show_words is st.info else ":material/error:")
    if work.can_go_on(run.folder) and access.allowed("train"):
        st.button(
            "Go on",
            key="run-go-on",
            type="primary",
            icon=":material/play_arrow:",
            on_click=_go_on,
            args=(settings, run.folder, run.title),
        )
    if job is not None and job.state in ("failed", "lost") and access.allowed("train"):
        with st.expander("For a colleague who helps", icon=":material/support:"):
            st.caption("What the training printed last, in the words of its programs.")
            st.code("\n".join(job.tail(20)) or "nothing", language=None, wrap_lines=True)


def _go_on(settings: Settings, folder: Path, title: str) -> None:
    work.go_on(settings, folder, title)


def _told(folder: Path) -> None:
    """What the run told: images left out, features not kept, memory that was short."""
    try:
        lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    with st.expander("What it told", icon=":material/notes:"):
        st.code("\n".join(lines[-_MOST_LINES:]), language=None, wrap_lines=True, height=240)


def _figures(settings: Settings, folder: Path) -> None:
    """Curves on top, then centers and map."""
    run = read_run(settings.runs, folder)
    curves, recipe = read_curves(folder), recipe_of(folder, run)
    if not curves.epochs or recipe is None:
        st.caption("Curves appear after the first epoch.")
        return
    probe = run.probe.get("validation")
    files = snapshot_files(folder)
    chosen = _chosen_look(files, run.state == "done")
    drawn = _drawn_at_work if run.state == "at work" else _drawn
    looks = None if chosen is None else (chosen, files[-1])
    with st.container(horizontal=True):  # as many beside each other as there is room for
        for key, figure in drawn(folder, run.title, probe, looks, curves, recipe):
            _chart(figure, key)
    with st.expander("How to read this", icon=":material/help:"):
        st.markdown(_HELP)


def _drawn(
    _folder: Path,
    title: str,
    _probe: float | None,
    _looks: tuple[Path, Path] | None,
    _curves: TrainingCurves,
    _recipe: Recipe,
) -> list[tuple[str, Any]]:
    """The figures by their keys."""
    loss = _recipe.loss
    return [
        ("accuracy", accuracy_curves([(title, _curves)], _probe)),
        ("losses", loss_curves(_curves, loss.beta, loss.lambda_)),
        *(_look(*_looks, _recipe) if _looks is not None else []),
        ("clusters", cluster_curves(_curves)),
    ]


@st.cache_resource(ttl=_FIGURES_EVERY - 1, max_entries=8, show_spinner=False)
def _drawn_at_work(
    folder: Path,
    title: str,
    _probe: float | None,
    _looks: tuple[Path, Path] | None,
    _curves: TrainingCurves,
    _recipe: Recipe,
) -> list[tuple[str, Any]]:
    """The same, drawn once for all who watch within a few seconds."""
    return _drawn(folder, title, _probe, _looks, _curves, _recipe)


_HELP = """
**Accuracy** is the share of the validation images, which are never learned from, whose label the
network says. The dashed line is a *linear probe*: a straight line through what the backbone knew
before; a network should end above it. With few validation images one image more or less makes a
step.

**Losses**: *entropy* is how surprised the network is by the labels. When it keeps falling for
training images while that of validation images rises, the network learns by heart: stop and keep.
*Intra* pulls images to the center of their class, *inter* pushes centers apart.

**ARI and NMI** say how well clusters of the vector u are the classes again (1 in full); **ASR** is
the share of images between clusters (0 is best). They are looked at every few seconds.

**The map** shows u on its two main directions, turned so that it does not jump from epoch to epoch.
Large points are validation images, small ones are learned from, crosses are class centers.
"""


def _chosen_look(files: list[Path], done: bool) -> Path | None:
    """The last look, or any of a run that is done."""
    if not files:
        return None
    if not done or len(files) < 2:
        return files[-1]
    number = st.slider(
        "Look back: map and centers as they were",
        1,
        len(files),
        len(files),
        key=f"run-look-{len(files)}",
        help="From the first look to the end of the training.",
    )
    return files[number - 1]


def _look(chosen: Path, newest: Path, recipe: Recipe) -> list[tuple[str, Any]]:
    """Map and center distances of one look."""
    names, colours = recipe.classes.names, recipe.classes.colours
    found, last = read_snapshot(chosen), read_snapshot(newest)
    if found is None or last is None:
        return []
    drawn = [("map", moving_map(found, names, colours, _reach(last, found)))]
    known = np.isfinite(found.distances)
    if len(names) > _MOST_NAMES or not known.any():
        return drawn
    gaps = np.where(known, found.distances, np.nan)
    off = gaps[~np.eye(len(gaps), dtype=bool)]
    high = float(np.nanmax(off)) if np.isfinite(off).any() else 1.0
    title = "Distances between centers" if found.learned else "Distances between class means"
    margin = recipe.loss.margin if found.learned else None
    figure = distance_heat_map(gaps.astype(np.float64), names, 0.0, high, title, margin)
    return [*drawn, ("centers", figure)]


def _reach(last: Snapshot, found: Snapshot) -> float:
    """Half the side of the frame: that of the last look, or of this one where it is larger."""
    values = [np.abs(item.places) for item in (last, found)]
    values += [np.abs(item.centers[np.isfinite(item.centers)]) for item in (last, found)]
    return 1.08 * max(float(v.max()) if v.size else 0.0 for v in values) or 1.0


def _chart(figure: Any, key: str) -> None:
    is_table = isinstance(figure, str)  # which is cut where it is given less than it wants
    with st.container(width="content" if is_table else _WIDTH, key=f"figure-{key}"):
        if isinstance(figure, str):
            st.html(figure)
        else:
            st.plotly_chart(figure, key=f"run-{key}", config=_QUIET)
