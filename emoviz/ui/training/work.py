"""Runs and sweeps as jobs of one queue: start, pause, stop and keep, cancel, resume."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from emoviz import jobs
from emoviz.errors import BusyError
from emoviz.files import write_json, write_text
from emoviz.settings import Settings
from emoviz.training.folder import forget_pause, make_wish
from emoviz.training.recipe import Recipe
from emoviz.training.runs import RECIPE, find_run, new_folder, write_notes
from emoviz.training.sweep import SweepPlan, recipe_text
from emoviz.ui import access
from emoviz.ui.words import plain

QUEUE = "training"
BASE = "base.yaml"  # the recipe whose values a sweep changes
_COMMAND = "command.json"


def job_of(settings: Settings, folder: Path) -> jobs.Job | None:
    """The latest job of a run or sweep; None where none is known any more."""
    return jobs.find(settings, _key(folder))


@access.acts("train")
def start_run(
    settings: Settings, recipe: Recipe, table: str, title: str, set_id: str
) -> Path | None:
    """Begin a run in the background; None where it cannot be begun, which is then on the page."""
    try:
        folder = new_folder(settings.runs, recipe.name)
        write_text(folder / RECIPE, recipe_text(recipe))
        write_notes(folder, title=title, set=set_id, parent=recipe.network.start)
        command = ["train", str(folder / RECIPE), "--data", table, "--run", str(folder)]
        write_json(folder / _COMMAND, {"command": [*command, "--resume", "--no-graph"]})
        return go_on(settings, folder, title)
    except OSError as error:
        _sorry(error)
        return None


@access.acts("train")
def start_sweep(settings: Settings, plan: SweepPlan) -> Path | None:
    """Begin a sweep in the background; None where it cannot be begun."""
    try:
        folder = new_folder(settings.runs, f"sweep-{plan.recipe.name}")
        recipe = folder / BASE
        write_text(recipe, recipe_text(plan.recipe))
        write_notes(folder, title=plan.title)
        vary = [f"{key}={';'.join(values)};" for key, values in plan.vary.items()]
        command = ["sweep", str(recipe), "--data", *plan.tables, "--vary", *vary]
        command += ["--by", plan.by, "--draws", str(plan.draws), "--run", str(folder)]
        write_json(folder / _COMMAND, {"command": command})
        return go_on(settings, folder, plan.title)
    except OSError as error:
        _sorry(error)
        return None


@access.acts("train")
def go_on(settings: Settings, folder: Path, title: str) -> Path | None:
    """Start, or start again, what a folder's command says; None where it cannot be begun."""
    person = access.signed_in(settings)
    try:
        forget_pause(folder)
        jobs.start(settings, title, _command(folder), _key(folder), QUEUE, person=person)
    except BusyError as error:
        st.error(str(error), icon=":material/error:")
        return None
    except OSError as error:
        _sorry(error)
        return None
    return folder


def can_go_on(folder: Path) -> bool:
    """Whether the run or sweep was begun here, so that a button can go on with it."""
    return (folder / _COMMAND).is_file()


@access.acts("train")
def pause(folder: Path) -> None:
    """Ask for a pause after the next step."""
    make_wish(folder, "pause")


@access.acts("train")
def finish(folder: Path) -> None:
    """Ask to end with what has been learned."""
    make_wish(folder, "finish")


@access.acts("train")
def cancel(job: jobs.Job) -> None:
    """Stop; the state stays until the run is deleted."""
    job.cancel()


def command_line(folder: Path) -> str:
    """The same on the command line, with the file that one downloads."""
    words = _command(folder)
    if words and words[0] == "train":
        words = ["train", RECIPE, *words[2:4], "--run", "DIR"]
    return "python -m emoviz " + " ".join(_quoted(words))


def watched(settings: Settings, id: str) -> Path | None:
    """The folder of a run or sweep by its id in the link; None where there is none."""
    if not id:
        return None
    folder = settings.runs.joinpath(*id.split("/"))
    inside = ".." not in id.split("/") and folder.is_relative_to(settings.runs)
    return folder if inside and folder.is_dir() else None


def _command(folder: Path) -> list[str]:
    from emoviz.files import read_json

    found = (read_json(folder / _COMMAND) or {}).get("command")
    if not isinstance(found, list):
        raise FileNotFoundError(f"{folder / _COMMAND} is missing")
    return [str(word) for word in found]


def _key(folder: Path) -> str:
    return f"train {folder}"


def _quoted(words: Sequence[str]) -> list[str]:
    import shlex

    return [shlex.quote(word) for word in words]


def _sorry(error: OSError) -> None:
    st.error(
        f"It cannot be started: {plain(str(error))}. Make room on the disk and press again; "
        "nothing was changed.",
        icon=":material/error:",
    )


__all__ = [
    "can_go_on",
    "cancel",
    "command_line",
    "find_run",
    "finish",
    "go_on",
    "job_of",
    "pause",
    "start_run",
    "start_sweep",
    "watched",
]
