"""Predicting what waits: at once for a few images, with progress and a stop for many."""

import hashlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator

import streamlit as st

from emoviz.data.images import Limits
from emoviz.data.sources import ImageSource, from_bytes, refusal
from emoviz.errors import EmovizError, ImageError
from emoviz.inference.predict import Model, predict
from emoviz.settings import Settings
from emoviz.ui.models import is_ready, ready
from emoviz.ui.shell import Context
from emoviz.ui.words import counted, duration, plain
from emoviz.ui.workspace import Workspace, WorkspaceImage

# Few enough to be done before a progress bar would have been read.
AT_ONCE = 4
BATCH = 8
PICTURE_SIDE = 640


def run_pending(
    space: Workspace, context: Context, preview: Callable[[], bool] | None = None
) -> bool:
    """Predict every image that waits for the chosen checkpoint.

    Args:
        space: Whose images.
        context: Settings and checkpoint.
        preview: Draws what is done so far; called after each batch of a long run until it says
            that its place is full.

    Returns:
        False where the checkpoint cannot be run; the reason is then on the page.
    """
    waiting = space.pending(context.identity)
    if not waiting or context.checkpoint is None:
        return True
    if space.paused:
        _offer_to_go_on(space, waiting)
        return True
    try:
        model = _model(context)
    except EmovizError as error:
        st.error(
            f"{plain(str(error))}\n\nChoose another network on the left; the images are kept.",
            title="This network cannot be run here",
            icon=":material/error:",
        )
        return False
    try:
        if len(waiting) <= AT_ONCE:
            deque(compute(space, waiting, model, context), maxlen=0)
            _finish(space)
        else:
            _run_with_progress(space, waiting, model, context, preview)
    except Exception as error:  # whatever it was, the page must not do it again at every visit
        space.paused = True
        _tell(error)
        _offer_to_go_on(space, space.pending(context.identity))
    return True


def compute(
    space: Workspace, waiting: list[WorkspaceImage], model: Model, context: Context
) -> Iterator[WorkspaceImage]:
    """Read and predict, storing each result in the workspace as it comes.

    Files are read one batch ahead in the predictor's own thread; bytes that this checkpoint has
    already seen are recognised there and not computed again.

    Yields:
        Each entry that a prediction came for.
    """
    order: deque[WorkspaceImage] = deque()
    seen: set[str] = set()

    def fresh() -> Iterator[ImageSource]:
        for entry in waiting:
            source = _read(entry)
            known = (entry.sha256, context.identity) in space.predictions
            if entry.sha256 and (known or entry.sha256 in seen):
                continue
            seen.add(entry.sha256)
            order.append(entry)
            yield source

    pictures = all(entry.sha256 in space.thumbnails for entry in waiting)
    side = None if pictures else PICTURE_SIDE
    batch = 1 if len(waiting) <= 2 else BATCH
    limits, kind = _limits(context.settings), context.kind
    for prediction in predict(model, fresh(), limits, batch, side, kind):
        entry = order.popleft()
        space.record(entry, context.identity, prediction)
        yield entry


def _read(entry: WorkspaceImage) -> ImageSource:
    """Read an entry's bytes and note their hash; what cannot be read refuses again when asked."""
    try:
        assert entry.source is not None
        data = entry.source.read()
    except ImageError as error:
        return refusal(entry.name, str(error))
    entry.sha256 = hashlib.sha256(data).hexdigest()
    return from_bytes(entry.name, data)


def _run_with_progress(
    space: Workspace,
    waiting: list[WorkspaceImage],
    model: Model,
    context: Context,
    preview: Callable[[], bool] | None,
) -> None:
    """A long run. Any press of a button ends it at the next update; what is done is kept."""
    total, start = len(waiting), time.monotonic()
    with st.container(horizontal=True, vertical_alignment="center", key="progress"):
        bar = st.progress(0.0, f"Reading {counted(total, 'image')} …")
        st.button(
            "Stop here", key="stop", icon=":material/stop_circle:", on_click=_pause, args=(space,)
        )
    place, full = st.empty(), preview is None
    for done, _ in enumerate(compute(space, waiting, model, context), start=1):
        if done % BATCH == 0:
            left = (time.monotonic() - start) / done * (total - done)
            bar.progress(done / total, f"{done} of {total} images, about {duration(left)} left")
            if preview is not None and not full:
                with place:
                    full = preview()
    _finish(space)
    st.rerun()


def _finish(space: Workspace) -> None:
    if repeats := space.drop_repeats():
        space.notes.append(f"{counted(repeats, 'image')} had been dropped before.")
    space.let_go()


def _tell(error: Exception) -> None:
    """What ended a run, and that nothing is lost; the particulars are for the server's log."""
    if not isinstance(error, EmovizError | MemoryError):
        logging.getLogger(__name__).exception("predicting ended")
    told = str(error) if isinstance(error, EmovizError) else "This computer could not go on."
    st.error(
        f"{plain(told)} What is done is kept.",
        title="Not all images could be looked at",
        icon=":material/error:",
    )


def _offer_to_go_on(space: Workspace, waiting: list[WorkspaceImage]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Stopped. {counted(len(waiting), 'image')} not looked at yet.")
        st.button("Go on", key="go-on", on_click=_go_on, args=(space,))
        numbers = [entry.number for entry in waiting]
        st.button("Leave them out", key="leave-out", on_click=space.leave_out, args=(numbers,))


def _model(context: Context) -> Model:
    assert context.checkpoint is not None
    if is_ready(context.checkpoint, context.settings):
        return ready(context.checkpoint, context.settings)
    with st.spinner("Loading the network …"):
        return ready(context.checkpoint, context.settings)


def _limits(settings: Settings) -> Limits:
    return Limits.of(settings)


def _pause(space: Workspace) -> None:
    space.paused = True


def _go_on(space: Workspace) -> None:
    space.paused = False
