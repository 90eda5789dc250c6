"""Everything that emoviz raises on purpose.

::

    EmovizError
    ├── NotInstalledError  packages are needed that the small installation leaves out
    ├── SettingsError      an environment variable or option has an impossible value
    ├── TaxonomyError      unknown taxonomy, label or class; no bridge between two taxonomies
    ├── ImageError         one image cannot be read; the others can
    ├── TableError         a table of images and labels does not fit
    ├── FetchError         something cannot be fetched from the network, or must not be
    ├── AnalysisError      arrays cannot be analysed, or a kept analysis cannot be read
    ├── BusyError          somebody asks for more at once than one person may
    ├── CheckpointError    a checkpoint is missing, damaged or does not fit
    ├── RecipeError        a recipe has an unknown key or an impossible value
    ├── WeightsError       pretrained weights cannot be had here
    ├── TrainingError      training cannot start or cannot go on
    │   └── PausedError        somebody asked it to stop for now; its state is kept
    └── ReviewError        the review store cannot take or give what was asked
        ├── StoreUnavailableError  it cannot be used now; the same may be tried again
        └── NotAllowedError    the person's role does not allow it

Each message says what came, what was wanted and what to do, in words for the person who sees it.
"""

from importlib.util import find_spec


class EmovizError(Exception):
    """Base of all errors that are meant to be shown to a person."""


class NotInstalledError(EmovizError):
    """A part of emoviz needs packages that the small installation leaves out."""


def require_training_packages() -> None:
    """Raise `NotInstalledError`, in words for a curator, where PyTorch is not installed."""
    if find_spec("torch") is None:
        raise NotInstalledError(
            "This needs PyTorch, which the small installation of emoviz leaves out. Whoever "
            "installed emoviz can add its training packages."
        )


class SettingsError(EmovizError):
    """An environment variable or option has a value that cannot be used."""


class TaxonomyError(EmovizError):
    """A taxonomy, label or class is unknown, or no bridge joins two taxonomies."""


class ImageError(EmovizError):
    """One image cannot be read. The message is the reason, without the file's name."""


class TableError(EmovizError):
    """A table of images and labels lacks a column, a label or a file."""


class FetchError(EmovizError):
    """Something cannot be fetched. The message is the reason, without the address.

    Args:
        reason: For people.
        status: What the server answered, where it answered.
        unanswered: Whether no server answers, so that others of its addresses fare no better.
    """

    def __init__(self, reason: str, status: int | None = None, unanswered: bool = False) -> None:
        super().__init__(reason)
        self.status, self.unanswered = status, unanswered


class AnalysisError(EmovizError):
    """Arrays cannot be analysed, or a file that holds an analysis cannot be read."""


class BusyError(EmovizError):
    """Somebody asks for more at once than one person may."""


class CheckpointError(EmovizError):
    """A checkpoint is missing, damaged or does not fit what is asked of it."""


class RecipeError(EmovizError):
    """A recipe has an unknown key or an impossible value."""


class WeightsError(EmovizError):
    """Pretrained weights were asked for and cannot be had on this machine."""


class TrainingError(EmovizError):
    """Training cannot start, or cannot go on."""


class PausedError(TrainingError):
    """A training was asked to stop for now; what has been learned is kept."""


class ReviewError(EmovizError):
    """The review store cannot be opened, or cannot take or give what was asked of it."""


class StoreUnavailableError(ReviewError):
    """The review store cannot be used now: whatever was to be stored may be sent again."""


class NotAllowedError(ReviewError):
    """The person's role in the review store does not allow what they asked for."""
