"""What other packages add, by entry points: one registry a kind, its own entries first.

A registry looks for plug-ins when it is first read. One that cannot be loaded, is of another kind
or bears a name that is taken is named in `broken` and in a warning, and costs nothing else; so does
one that fails when it is used (`guarded`). Installing a package is what lets its code run: nothing
else than installed packages is looked at.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from threading import RLock
from typing import Generic, TypeVar

from emoviz.errors import EmovizError

T = TypeVar("T")
R = TypeVar("R")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class BrokenPlugin:
    """A plug-in that is left out.

    Attributes:
        name: Of its entry point.
        package: That brings it, with its version.
        reason: Why, in a sentence.
    """

    name: str
    package: str
    reason: str

    def __str__(self) -> str:
        return f"The plug-in '{self.name}' of '{self.package}' is left out: {self.reason}."


class PluginError(EmovizError):
    """A plug-in failed; the message names it."""


class Registry(Mapping[str, T], Generic[T]):
    """Entries by their names: emoviz's own in their order, then those of plug-ins.

    Args:
        group: Of the entry points.
        kind: What each entry is an instance of.
        own: emoviz's.
        check: Raises `ValueError` with a reason for an entry that cannot be used.
    """

    def __init__(
        self,
        group: str,
        kind: type[T],
        own: Mapping[str, T],
        check: Callable[[T], None] = lambda entry: None,
    ) -> None:
        self.group, self._kind, self._own, self._check = group, kind, own, check
        self._added: Mapping[str, T] | None = None
        self._broken: tuple[BrokenPlugin, ...] = ()
        self.packages: dict[str, str] = {}  # of what is added: name and version
        self._lock = RLock()

    def __getitem__(self, name: str) -> T:
        return self._own[name] if name in self._own else self.added[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from self.added

    def __len__(self) -> int:
        return len(self._own) + len(self.added)

    @property
    def added(self) -> Mapping[str, T]:
        """Those of plug-ins."""
        with self._lock:
            if self._added is None:
                self._load()
            assert self._added is not None
            return self._added

    @property
    def broken(self) -> tuple[BrokenPlugin, ...]:
        """Plug-ins that are left out, with the reasons."""
        return self._broken if self.added is not None else ()

    def guarded(self, name: str, call: Callable[[], R]) -> R:
        """What a call into an entry gives.

        Raises:
            PluginError: The entry is a plug-in's and failed with anything but an `EmovizError`.
        """
        if name in self._own:
            return call()
        try:
            return call()
        except EmovizError:
            raise
        except Exception as error:  # whatever others' code raises
            raise PluginError(
                f"The plug-in '{name}' failed ({type(error).__name__}: {error})"
            ) from error

    def _load(self) -> None:
        self._added = added = dict[str, T]()  # what a plug-in imports may read this meanwhile
        broken = []
        for point in sorted(entry_points(group=self.group), key=lambda point: point.name):
            try:
                added[point.name] = self._entry(point, added)
                self.packages[point.name] = _package(point)
            except Exception as error:  # whatever others' code raises
                first = str(error).strip().splitlines()
                kind = "" if isinstance(error, _UnfitError) else f"{type(error).__name__}: "
                reason = f"{kind}{first[0] if first else ''}".rstrip(".")
                broken.append(BrokenPlugin(point.name, _package(point), reason))
                _LOG.warning("%s", broken[-1])
        self._broken = tuple(broken)

    def _entry(self, point: EntryPoint, added: Mapping[str, T]) -> T:
        if point.name in self._own or point.name in added:
            raise _UnfitError("its name is taken")
        entry = point.load()
        if not isinstance(entry, self._kind):
            raise _UnfitError(f"it is a {type(entry).__name__}, no {self._kind.__name__}")
        self._check(entry)
        return entry


class _UnfitError(ValueError):
    """A reason in our own words."""


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "?"
