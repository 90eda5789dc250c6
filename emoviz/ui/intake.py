"""The ways in: dropped files, a folder, a ZIP among them, the sample gallery, a link.

Uploads are taken over in the widgets' callbacks, before the page is drawn, and the widgets start
anew: the drop zone is always empty, and Streamlit's own copy of the bytes is let go.
"""

from collections.abc import Iterable, Mapping, Sequence

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.typing import UploadedFile

from emoviz.data.images import Limits
from emoviz.data.reading import expand, sent_sources
from emoviz.data.sources import (
    ImageSource,
    from_path,
    is_junk,
    parts_of,
    refusal,
    why_no_image,
)
from emoviz.settings import Settings
from emoviz.ui import access
from emoviz.ui.gallery import Tile, gallery
from emoviz.ui.library import bring_in
from emoviz.ui.library.bring_in import Arrival, BringInForm, Outcome, Way
from emoviz.ui.samples import Sample, known_samples, shown_samples, small_pictures
from emoviz.ui.words import counted, plain
from emoviz.ui.workspace import Workspace, workspace

_ALL = "all"
_WAYS: Mapping[Way, str] = {
    "path": "An image, a folder, a ZIP, or a table (CSV, Parquet) with a column `file`.",
    "set": "The images of a labelled set.",
}


def drop_zones(settings: Settings) -> None:
    """Widgets for files and for a folder."""
    generation = workspace().uploads
    with st.container(key="drop-zones"):
        files, folder = st.columns(2)
        with files:
            label = "Drop images here, or a ZIP of images"
            _uploader(label, f"files-{generation}", settings, whole=False)
        with folder:
            _uploader("Drop a whole folder here", f"folder-{generation}", settings, whole=True)
    each, archive = f"{settings.max_file_mb:,.0f} MB", f"{settings.max_archive_mb:,.0f} MB"
    st.caption(f"An image may have {each}, a ZIP {archive}.")


@access.offers("try")
def bring_in_more(settings: Settings) -> None:
    """Images that lie elsewhere, by the form of every page."""
    form = BringInForm("classify", _WAYS, lambda arrival: _take(settings, arrival), right="try",
                       names_it=False)  # fmt: skip
    bring_in.tell(form, settings)
    with st.expander("Images that lie elsewhere", icon=":material/folder_open:"):
        bring_in.show(form, settings)


@access.acts("try")
def _take(settings: Settings, arrival: Arrival) -> Outcome:
    space, told = workspace(), list[str]()
    before = len(space.entries)
    space.notes.clear()
    sources = expand([arrival.place(settings)], settings, told.append)
    _add_sources(space, [(source, 0) for source in sources], settings)
    words = f"{arrival.text}: {counted(len(space.entries) - before, 'file')} added."
    return Outcome(words, notes=told)


def notes() -> None:
    """What there is to say of the last files that came in."""
    for note in workspace().notes:
        st.info(note, icon=":material/info:")


def sample_gallery(settings: Settings, title: str) -> None:
    """Thumbnails to press, all of them one element, and a button for all."""
    samples = shown_samples(settings.sample_data)
    if not samples:
        st.caption("The sample images that come with the project are not in this installation.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(title, anchor=False, width="stretch")
        st.button(
            f"Try all {len(samples)}",
            key="samples-all",
            icon=":material/auto_awesome_mosaic:",
            on_click=_take_samples,
            args=(samples, settings),
        )
    pictures = small_pictures(settings.sample_data)
    tiles = [Tile(jpeg, item.caption) for jpeg, item in zip(pictures, samples, strict=True)]
    with st.container(key="samples"):
        gallery(tiles, "sample-gallery", title, side=100, form="whole",
                on_press=lambda place: _take_samples([samples[place]], settings))  # fmt: skip


def follow_link(settings: Settings) -> None:
    """Take in what ``?sample=FILE`` names, once a session."""
    space = workspace()
    if space.linked:
        return
    space.linked = True
    known = dict(known_samples(settings.sample_data))
    known |= {sample.name: sample for sample in known.values()}  # the bare name serves too
    for file in st.query_params.get_all("sample"):
        if file == _ALL:
            _add_samples(space, shown_samples(settings.sample_data), settings)
        elif file in known:
            _add_samples(space, [known[file]], settings)
        else:
            name = plain(file[:80])
            space.notes.append(f"The link asks for the sample “{name}”, which is not here.")


def remove_all() -> None:
    """Forget every image and result, and what the link says of samples."""
    workspace().clear()
    st.query_params.pop("sample", None)


def taken(
    files: Sequence[UploadedFile], settings: Settings, whole: bool = False
) -> list[tuple[ImageSource, int]]:
    """Uploaded files as sources with the bytes that each holds; ZIPs are opened.

    What a system put into a folder is left out; what is no image is a source that says so.
    """
    sources: list[tuple[ImageSource, int]] = []
    problems: list[tuple[ImageSource, int]] = []
    for file in sorted(files, key=lambda file: file.name) if whole else files:
        if whole and is_junk(parts_of(file.name)):
            continue
        data = file.getvalue()
        reason = why_no_image(file.name, lambda data=data: data[:512]) if whole else ""  # type: ignore[misc]
        if reason and not file.name.casefold().endswith(".zip"):
            problems.append((refusal(file.name, reason), 0))
            continue
        inside = sent_sources(file.name, data, settings)
        sources += [(source, len(data) // len(inside)) for source in inside]
    return sources + problems


def _uploader(label: str, key: str, settings: Settings, whole: bool) -> None:
    st.file_uploader(
        label,
        accept_multiple_files="directory" if whole else True,
        key=key,
        max_upload_size=max(
            1,
            int(
                settings.max_file_mb
                if whole
                else max(settings.max_file_mb, settings.max_archive_mb)
            ),
        ),
        on_change=_take_uploads,
        args=(key, settings, whole),
    )


def _take_uploads(key: str, settings: Settings, whole: bool) -> None:
    space = workspace()
    if not key.endswith(f"-{space.uploads}"):
        return  # a run cut short: Streamlit reports the same upload once more
    space.notes.clear()
    files: list[UploadedFile] = list(st.session_state[key] or [])
    sources = taken(files, settings, whole)
    if files and not sources:
        space.notes.append("The folder holds no images.")
    _add_sources(space, sources, settings)
    _release(files)
    space.uploads += 1


def _add_sources(
    space: Workspace, sources: Sequence[tuple[ImageSource, int]], settings: Settings
) -> None:
    room = max(settings.max_images - len(space.entries), 0)
    for source, weight in sources[:room]:
        space.add(source, weight=weight)
    if len(sources) > room:
        space.notes.append(
            f"{counted(len(sources) - room, 'image')} left out: the page holds at most "
            f"{settings.max_images:,}. Bring in more as a collection, on the Collections page."
        )


def _release(files: Iterable[UploadedFile]) -> None:
    """Let Streamlit forget its copy; it would keep it until the browser goes away."""
    context = get_script_run_ctx()
    if context is None:
        return
    remove = getattr(context.uploaded_file_mgr, "remove_file", None)
    if remove is not None:
        for file in files:
            remove(context.session_id, file.file_id)


def _take_samples(samples: Sequence[Sample], settings: Settings) -> None:
    space = workspace()
    space.notes.clear()
    _add_samples(space, samples, settings)
    chosen = [entry.sample for entry in space.entries if entry.sample]
    everything = {sample.file for sample in shown_samples(settings.sample_data)} <= set(chosen)
    st.query_params["sample"] = [_ALL] if everything else chosen


def _add_samples(space: Workspace, samples: Iterable[Sample], settings: Settings) -> None:
    present = {entry.sample for entry in space.entries}
    for sample in samples:
        if sample.file not in present:
            path = settings.sample_data / sample.file
            source = from_path(path, Limits.of(settings), sample.name)
            space.add(source, sample.caption, sample=sample.file)
