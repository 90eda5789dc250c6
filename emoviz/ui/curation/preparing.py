"""What a recipe leaves and what it throws out, and the prepared set."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from emoviz.curation.card import counts_of
from emoviz.curation.prepare import Dropped, PreparedSet, prepare, report_of
from emoviz.curation.recipe import Preparation, dump_preparation
from emoviz.curation.telling import leaks_left
from emoviz.data.library import free_id, save_set
from emoviz.data.lineage import with_step
from emoviz.errors import EmovizError
from emoviz.inference.tabular import csv_text
from emoviz.plots.curation import before_and_after
from emoviz.settings import Settings
from emoviz.ui import access, tables
from emoviz.ui.curation import choices
from emoviz.ui.curation.pictures import ShownImages, wall
from emoviz.ui.curation.subject import CurationSubject, mark, read_marks
from emoviz.ui.library.sets import CHOICE, NOTES
from emoviz.ui.linked import linked_choice, write_parameter
from emoviz.ui.words import counted, listed, plain, readable

_MADE = "datasets-made"


def show(subject: CurationSubject, settings: Settings) -> None:
    """Controls, what stays, what goes, and the button that makes the set."""
    st.markdown(
        "Nothing of this set is changed: the recipe makes a **new** one. The same recipe on the "
        "same images gives the same result on any machine, whatever their order."
    )
    recipe = choices.choose(subject, read_marks(subject))
    if recipe is None:
        return
    try:
        made = _prepared(recipe.sha256, subject.known.path, _stamp(subject), recipe, subject)
    except EmovizError as error:
        st.error(
            f"{plain(str(error))}\n\nChange the recipe above.",
            title="This recipe cannot be applied",
            icon=":material/error:",
        )
        return
    st.header("What stays", anchor=False)
    _stays(subject, made)
    st.header("What is thrown out", anchor=False)
    _goes(subject, made, settings)
    st.header("Make it", anchor=False)
    _make(subject, recipe, made, settings)


def _stays(subject: CurationSubject, made: PreparedSet) -> None:
    before = len(subject.labelled.records)
    after = len(made.labelled.records)
    steps = " → ".join(f"{count:,} {words}" for words, count in made.steps)
    st.markdown(f"**{after:,} of {before:,} images stay.** {plain(steps)}.")
    for warning in _warnings(subject, made):
        st.warning(warning, icon=":material/warning:")
    chart, numbers = st.columns(2, gap="large")
    counts = made.counts()
    with chart:
        old = _sums(counts_of(subject.labelled))
        new = _sums(counts)
        names = [name for name in dict.fromkeys([*old, *new]) if old.get(name) or new.get(name)]
        st.plotly_chart(
            before_and_after(old, new, names),
            key="datasets-before-after",
            config={"displaylogo": False},
            alt="Images of each class before and after the recipe",
        )
    with numbers:
        table = pd.DataFrame(counts)
        table.index = [readable(str(name)) for name in table.index]
        table["all"] = table.sum(axis=1)
        table = table[table["all"] > 0]
        tables.show(table, "datasets-after")


def _warnings(subject: CurationSubject, made: PreparedSet) -> list[str]:
    """What is still wrong with the result: pictures in two splits, splits without images."""
    assert subject.found is not None
    warnings = []
    left = leaks_left(subject.found, {r.name: r.split or "" for r in made.labelled.records})
    if left:
        first, second = left[0]
        near, same = subject.found["near_duplicates"]["pairs"], subject.found["duplicates"]
        cut = near["count"] > len(near["list"]) or same["count"] > len(same["list"])
        warnings.append(
            f"{'At least ' if cut else ''}{counted(len(left), 'pair')} that look alike still stand "
            f"in two splits, such as {plain(first)} and {plain(second)}: the set's own split says "
            "so. Let look-alikes be thrown out but one, or untick “the set's own split stays”."
        )
    empty = [name for name, row in made.counts().items() if not any(row.values())]
    if empty:
        warnings.append(
            f"No labelled image is in {listed(empty)}. Untick “the set's own split stays”, or give "
            "it a larger share, where a training shall watch or test itself on such images."
        )
    return warnings


def _goes(subject: CurationSubject, made: PreparedSet, settings: Settings) -> None:
    """By reason, with pictures; each can be kept after all."""
    if not made.dropped:
        st.caption("Nothing.")
        return
    reasons = Counter(_reason(row) for row in made.dropped)
    words = {reason: f"{reason} ({count:,})" for reason, count in reasons.most_common()}
    asked = linked_choice("Because", words, "because", width=460)
    rows = [row for row in made.dropped if _reason(row) == asked]
    places = [place for row in rows if (place := subject.opened.places.get(row.name)) is not None]
    after_all = "" if asked == "unreadable" else " and keep it after all"
    st.caption(f"{counted(len(rows), 'image')}. Press one to see it in large{after_all}.")
    shown = [ShownImages(place) for place in places]
    wall(subject, settings, shown, f"datasets-out-{list(words).index(asked)}", "Thrown out")
    with st.container(horizontal=True):
        _all_after_all(subject, rows)
        st.download_button(
            f"All {len(made.dropped):,} that are thrown out, with reasons",
            _listed(made.dropped),
            f"{subject.known.id}-thrown-out.csv",
            "text/csv",
            key="datasets-dropped",
            on_click="ignore",
            icon=":material/download:",
        )


@access.offers("prepare")
def _all_after_all(subject: CurationSubject, rows: Sequence[Dropped]) -> None:
    """Keep all of one reason; take back what was kept or thrown out by hand."""
    marks = read_marks(subject)
    hashes = sorted({row.sha256 for row in rows if row.sha256})
    if hashes:
        st.button(
            f"Keep all {len(hashes):,} after all",
            key="datasets-keep-all",
            icon=":material/push_pin:",
            on_click=mark,
            args=(subject, hashes, "keep"),
            help="For filters on looks, text, faces and labels; not for those that were left out "
            "by undersampling or by new labels.",
        )
    decided = sorted(marks.drop | marks.keep)
    if decided:
        st.button(
            f"Take back what was decided by hand ({len(decided):,})",
            key="datasets-unmark",
            icon=":material/undo:",
            on_click=mark,
            args=(subject, decided, ""),
        )


@access.offers("prepare")
def _make(
    subject: CurationSubject, recipe: Preparation, made: PreparedSet, settings: Settings
) -> None:
    st.caption(
        f"Fingerprint of the result: `{made.fingerprint[:16]}`. It is the same wherever the same "
        "recipe meets the same images."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Name of the new set",
            key="prep-title",
            persist_state="session",
            placeholder=f"{readable(subject.known.title)}, prepared",
            max_chars=80,
            width=340,
        )
        st.button(
            "Make the set",
            key="datasets-make",
            type="primary",
            icon=":material/inventory_2:",
            on_click=_save,
            args=(subject, recipe, made, settings),
        )
        st.download_button(
            "Recipe",
            dump_preparation(recipe),
            "recipe.yaml",
            "application/yaml",
            key="datasets-recipe",
            on_click="ignore",
            icon=":material/download:",
            help="The same on the command line: `python -m emoviz data prepare recipe.yaml "
            f"{subject.known.path} --out DIR`",
        )


@access.acts("prepare")
def _save(
    subject: CurationSubject, recipe: Preparation, made: PreparedSet, settings: Settings
) -> None:
    """Put the prepared set into the library, with how it came to be, and open it."""
    title = recipe.title or f"{subject.known.title}, prepared"
    result = report_of(made, recipe)
    step = {
        "words": f"{result['images']:,} of {len(subject.labelled.records):,} images prepared by "
        f"the recipe “{recipe.title or recipe.name}” (fingerprint {made.fingerprint[:16]})",
        "from": subject.known.id,
        **{key: result[key] for key in ("recipe", "recipe_sha256", "fingerprint", "counts")},
    }
    try:
        id = free_id(settings, title)
        save_set(settings, id, title, made.labelled, with_step(subject.known.about, step))
    except (EmovizError, OSError) as error:
        st.session_state[NOTES] = [f"The set cannot be kept: {plain(str(error))}"]
        return
    st.session_state[CHOICE] = st.session_state[_MADE] = id
    st.session_state["view"] = "contents"
    write_parameter("view", "")
    st.session_state["prep-title"] = ""


def next_steps(known_id: str) -> None:
    """After a set was made: what can be done with it now."""
    if st.session_state.get(_MADE) != known_id:
        return
    st.success(
        f"**{plain(known_id)}** is in the library: Retrain, Evaluate and Embeddings offer it.",
        icon=":material/inventory_2:",
    )


@st.cache_resource(max_entries=4, show_spinner="Trying the recipe …")
def _prepared(
    sha256: str, path: Any, stamp: tuple[int, ...], _recipe: Preparation, _subject: CurationSubject
) -> PreparedSet:
    assert _subject.item is not None
    return prepare(_subject.labelled, _subject.item, _recipe)


def _stamp(subject: CurationSubject) -> tuple[int, ...]:
    """Changes with the set and with its examination."""
    assert subject.found is not None
    assert subject.item is not None
    looked = (subject.item.text is not None, subject.item.faces is not None)
    return (*map(int, subject.found["stamp"]), *map(int, looked))


def _sums(counts: dict[str, dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for row in counts.values():
        total.update(row)
    return dict(total)


def _reason(row: Dropped) -> str:
    return "unreadable" if row.reason.startswith("unreadable") else readable(row.reason)


def _listed(rows: Sequence[Dropped]) -> bytes:
    told = [(row.name, row.sha256, row.label, row.reason) for row in rows]
    return csv_text([("name", "sha256", "label", "reason"), *told]).encode(errors="replace")
