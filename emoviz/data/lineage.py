"""Where a labelled set came from, step by step: kept with the set, told on models' cards."""

from collections.abc import Mapping, Sequence
from typing import Any

from emoviz import __version__

_KEY = "lineage"


def with_step(about: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a set, with one more step at the end of its lineage.

    Args:
        about: Of the set before.
        step: Plain values; ``words`` says for people what was done.
    """
    before = about.get(_KEY)
    steps = list(before) if isinstance(before, Sequence) and not isinstance(before, str) else []
    return {**about, _KEY: [*steps, {**step, "emoviz": __version__}]}


def lineage_words(about: Mapping[str, Any]) -> tuple[str, ...]:
    """The steps in sentences; none where nothing is known."""
    steps = about.get(_KEY)
    known = steps if isinstance(steps, Sequence) and not isinstance(steps, str) else ()
    told = (step.get("words") for step in known if isinstance(step, Mapping))
    return tuple(str(words) for words in told if words)
