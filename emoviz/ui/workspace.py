"""The images of one session and what models said of them; it outlives pages and reruns.

What a page shows is derived: an image waits for a checkpoint as long as no prediction with that
checkpoint is kept. So changing the checkpoint computes what is missing, changing back costs
nothing, and an interrupted run goes on where it stopped.
"""

import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import streamlit as st

from emoviz.data.sources import ImageSource
from emoviz.inference.abstention import Abstention, with_abstention
from emoviz.inference.predict import Prediction
from emoviz.ui.results import Refusal, Result

_KEY = "workspace"
# Originals of this many bytes are kept in memory, so that another checkpoint can be asked without
# dropping the files again; older ones are let go first.
KEEP_BYTES = 512_000_000
FORGOTTEN = "its original is no longer kept in memory; drop it again to see it with this network"
LEFT: set[str] = set()  # hashes of images of sessions that have ended
# Around every page: the browser asks before a reload forgets what was dropped, and what stands
# outside of Streamlit's app (its dialogs, its popovers) has the colours of the app's theme.
_FRAME = st.components.v2.component(
    "emoviz_frame",
    html="<span hidden></span>\n",
    js="""
const app = document.querySelector("[data-testid=stApp]")
const { style } = document.documentElement
const follow = () => { style.colorScheme = getComputedStyle(app).colorScheme }
const seen = new MutationObserver(follow)
const ask = (event) => event.preventDefault()
export default function ({ data }) {
  follow()
  seen.observe(app, { attributeFilter: ["class"] })
  removeEventListener("beforeunload", ask)
  if (data) addEventListener("beforeunload", ask)
  return () => {
    seen.disconnect()
    removeEventListener("beforeunload", ask)
  }
}
""",
)


@dataclass
class WorkspaceImage:
    """One image that came in.

    Attributes:
        number: Its place in the order of arrival; also its name in the page.
        source: Where its bytes are; None once the original has been let go.
        caption: What is known of it, such as artist and title.
        weight: Bytes that it holds in memory; 0 for files on disk.
        sample: Its file under ``sample_data``, where it is one of those.
        sha256: Of its bytes, once they were read.
        error: Why it cannot be read, once that is known.
    """

    number: int
    name: str
    source: ImageSource | None
    caption: str = ""
    weight: int = 0
    sample: str = ""
    sha256: str = ""
    error: str | None = None


@dataclass
class Workspace:
    """Everything on the Classify page that is not a widget; `known`: hashes of what was dropped."""

    entries: list[WorkspaceImage] = field(default_factory=list)
    predictions: dict[tuple[str, str], Prediction] = field(default_factory=dict)
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    paused: bool = False
    uploads: int = 0
    arrived: int = 0
    linked: bool = False
    known: set[str] = field(default_factory=set)

    def add(
        self, source: ImageSource, caption: str = "", weight: int = 0, sample: str = ""
    ) -> None:
        """Take in one image, at the end."""
        self.arrived += 1
        entry = WorkspaceImage(self.arrived, source.name, source, caption, weight, sample)
        self.entries.append(entry)
        self.paused = False

    def pending(self, identity: str) -> list[WorkspaceImage]:
        """Images that this checkpoint has not seen and that can still be read."""
        return [
            entry
            for entry in self.entries
            if entry.source is not None
            and entry.error is None
            and (entry.sha256, identity) not in self.predictions
        ]

    def record(self, entry: WorkspaceImage, identity: str, prediction: Prediction) -> None:
        """Keep what a model said, or why the image could not be read."""
        if prediction.error is not None:
            for other in self.entries:
                if other is entry or (entry.sha256 and other.sha256 == entry.sha256):
                    other.error = prediction.error
            return
        entry.sha256 = prediction.sha256
        if entry.weight:  # what lies on disk is not this session's to forget
            self.known.add(entry.sha256)
        if prediction.thumbnail is not None:
            self.thumbnails[prediction.sha256] = prediction.thumbnail
        self.predictions[prediction.sha256, identity] = replace(prediction, thumbnail=None)

    def results(self, identity: str, abstention: Abstention | None = None) -> list[Result]:
        """Images that were read, with this checkpoint's predictions, in the order of arrival.

        Args:
            identity: Of the checkpoint.
            abstention: Its threshold, if one was set, below which an answer is told as not sure.
        """
        found = [
            (entry, replace(prediction, path=entry.name))
            for entry in self.entries
            if (prediction := self.predictions.get((entry.sha256, identity))) is not None
        ]
        told = with_abstention((prediction for _, prediction in found), abstention)
        return [
            Result(entry.number, prediction, entry.caption, self.thumbnails.get(entry.sha256))
            for (entry, _), prediction in zip(found, told, strict=True)
        ]

    def refusals(self, identity: str) -> list[Refusal]:
        """Files that could not be read, or not again, with the reason."""
        rows = []
        for entry in self.entries:
            if entry.error is not None:
                rows.append(Refusal(entry.name, entry.error))
            elif entry.source is None and (entry.sha256, identity) not in self.predictions:
                rows.append(Refusal(entry.name, FORGOTTEN))
        return rows

    def outcome(self, identity: str, abstention: Abstention | None = None) -> list[Prediction]:
        """Predictions and refusals together, in the order of arrival, for downloads."""
        done: list[Prediction] = []
        for entry in self.entries:
            found = self.predictions.get((entry.sha256, identity))
            if entry.error is not None:
                done.append(Prediction(entry.name, entry.sha256, error=entry.error))
            elif found is not None:
                done.append(replace(found, path=entry.name))
        return list(with_abstention(done, abstention))

    def drop_repeats(self) -> int:
        """Forget entries with the same name and bytes as an earlier one; say how many."""
        first: dict[tuple[str, str], int] = {}
        for entry in self.entries:
            first.setdefault((entry.name, entry.sha256 or f"#{entry.number}"), entry.number)
        kept = set(first.values())
        before = len(self.entries)
        self.entries = [entry for entry in self.entries if entry.number in kept]
        return before - len(self.entries)

    def leave_out(self, numbers: Iterable[int]) -> None:
        """Remove some images."""
        gone = set(numbers)
        self.entries = [entry for entry in self.entries if entry.number not in gone]
        self.paused = False

    def let_go(self, limit: int = KEEP_BYTES) -> None:
        """Let go of the oldest originals until those in memory are within the limit."""
        held = 0
        for entry in reversed(self.entries):
            held += entry.weight if entry.source is not None else 0
            if held > limit and entry.weight and entry.sha256:
                entry.source = None

    def clear(self) -> None:
        """Remove everything but the counters, so that no widget's key is used twice."""
        fresh = Workspace(
            uploads=self.uploads + 1, arrived=self.arrived, linked=self.linked, known=self.known
        )
        self.__dict__.update(fresh.__dict__)


def workspace() -> Workspace:
    """The session's own."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = begun = Workspace()
        weakref.finalize(begun, LEFT.update, begun.known)
    found: Workspace = st.session_state[_KEY]
    return found


def frame() -> None:
    """What the browser does around every page."""
    _FRAME(key="frame", data=b"kept" if any(e.weight for e in workspace().entries) else None)
