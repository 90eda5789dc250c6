"""The words of exports that people read: English, or the language of the app's pages."""

from collections.abc import Callable
from dataclasses import dataclass


def _filled(text: str, /, **values: object) -> str:
    return text.format(**values) if values else text


@dataclass(frozen=True)
class Spoken:
    """A language.

    Attributes:
        name: ``en`` and the like, for the document's own mark.
        tr: A text of the catalogue, its ``{names}`` filled in.
        emotion: The name of an emotion; one of somebody's own stays as it is.
        number: A number as people write it.
    """

    name: str = "en"
    tr: Callable[..., str] = _filled
    emotion: Callable[[str], str] = str
    number: Callable[[float], str] = "{:,}".format

    def share(self, value: float) -> str:
        """0 to 1 in per cent, with a space that does not break."""
        return f"{100 * value:.0f}\u00a0%"


ENGLISH = Spoken()
