"""Which labelled set is learned from, what it holds, and ways to bring in more."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
import streamlit as st

from emoviz.data.dataset import Dataset, Record
from emoviz.data.images import Limits, open_image, thumbnail
from emoviz.data.library import SAMPLE, KnownSet, free_id, list_sets, save_set
from emoviz.data.reading import open_dataset, open_sent_zip, read_labelled
from emoviz.errors import EmovizError, ImageError
from emoviz.settings import Settings
from emoviz.ui import access
from emoviz.ui.gallery import Tile, gallery
from emoviz.ui.linked import linked_choice
from emoviz.ui.problems import show_problems
from emoviz.ui.words import counted, plain, readable

_NOTES, _CHOICE, _BROUGHT = "retrain-notes", "set", "retrain-brought"
_PICTURES, _SIDE = 16, 88  # eight beside each other on a wide page


def choose(settings: Settings) -> KnownSet | None:
    """The set that is learned from; None where there is none at all."""
    known, refused = list_sets(settings)
    for note in st.session_state.pop(_NOTES, []):
        st.info(note, icon=":material/info:")
    if brought := st.session_state.get(_BROUGHT):
        show_problems(*brought)
    if refused:
        with st.expander(f"{counted(len(refused), 'set')} cannot be used", icon=":material/error:"):
            for reason in refused:
                st.text(reason)
    if not known:
        return None
    by_id = {item.id: item for item in known}
    words = {i: f"{readable(k.title)}, {counted(k.count, 'image')}" for i, k in by_id.items()}
    chosen = linked_choice(
        "Labelled images",
        words,
        _CHOICE,
        SAMPLE,
        help="Sets that came along, were brought in here, or were made by review.",
        width=380,
    )
    return by_id[chosen]


def read(known: KnownSet) -> Dataset | None:
    """Its records; None where it cannot be read, which is then on the page."""
    try:
        changed = known.path.stat().st_mtime_ns if known.path.exists() else 0
        return _read(known.path, changed)
    except EmovizError as error:
        st.error(
            f"{plain(str(error))}\n\nChoose another set above, or bring it in again.",
            title="This set cannot be read",
            icon=":material/error:",
        )
        return None


def show(labelled: Dataset, counts: dict[str, int]) -> None:
    """How many images each class has, and some of them."""
    st.html(_bars(labelled, counts))
    tiles = [
        Tile(picture, record.name.rpartition("/")[2], name, colour)
        for record, name, colour in _some(labelled)
        if (picture := _picture(record)) is not None
    ]
    gallery(tiles, "retrain-pictures", "Some images of the set", side=_SIDE)


@access.offers("prepare")
def bring_in(settings: Settings) -> None:
    """A ZIP or a folder with one folder a class."""
    st.markdown(
        "Put the images of each class into a folder that is called like the class "
        "(`joy/1.jpg`, `fear/2.jpg`), and drop them as a ZIP, or name the folder on this machine. "
        "Any labels will do. `train`, `val` and `test` above the classes fix the split."
    )
    upload, folder = st.columns(2, gap="large")
    with upload:
        st.file_uploader(
            "ZIP with one folder a class",
            type=["zip"],
            key="retrain-zip",
            on_change=_take_zip,
            args=(settings,),
        )
    with folder:
        if not access.allowed("paths"):
            access.explain_no_paths()
            return
        st.text_input(
            "Or a folder, CSV or Parquet table on this machine",
            key="retrain-path",
            placeholder="/home/me/paintings",
            on_change=_take_path,
            args=(settings,),
            help="Images stay where they are; a ZIP's are copied into the library.",
        )


@st.cache_resource(max_entries=4, show_spinner="Reading the set …")
def _read(path: Path, changed: int) -> Dataset:
    """Kept by the file's time of change, too."""
    return read_labelled(path)


@access.acts("prepare")
def _take_zip(settings: Settings) -> None:
    upload = st.session_state["retrain-zip"]
    if upload is not None:
        name = Path(upload.name).name
        _take(settings, name, lambda: open_sent_zip(name, upload.getvalue(), settings))


@access.acts("paths")
def _take_path(settings: Settings) -> None:
    text = str(st.session_state["retrain-path"]).strip()
    if text:
        _take(
            settings,
            Path(text).name,
            lambda: open_dataset(access.place(text, settings), settings, labelled=True),
        )
        st.session_state["retrain-path"] = ""


@access.acts("prepare")
def _take(settings: Settings, name: str, get: "object") -> None:
    """Put what was dropped into the library and choose it, or say why not."""
    try:
        labelled: Dataset = get()  # type: ignore[operator]
        title = Path(name).stem or name
        about = {"source": name, "terms": "", "made": "brought in on the Retrain page"}
        known = save_set(settings, free_id(settings, title), title, labelled, about)
    except EmovizError as error:
        st.session_state[_NOTES] = [plain(str(error))]
        return
    except OSError as error:
        st.session_state[_NOTES] = [f"The set cannot be kept: {plain(str(error))}"]
        return
    st.session_state[_NOTES] = [f"{plain(title)}: {counted(known.count, 'image')} brought in."]
    st.session_state[_BROUGHT] = labelled.problems, known.count, labelled.notes
    st.session_state[_CHOICE] = known.id


def _bars(labelled: Dataset, counts: dict[str, int]) -> str:
    most = max([*counts.values(), 1])
    shown = (
        sorted(counts.items(), key=lambda item: -item[1]) if len(counts) > 12 else counts.items()
    )
    colours = labelled.taxonomy.colours
    rows = [
        '<div style="display:flex;gap:.6rem;align-items:center;line-height:1.5">'
        f'<span style="width:9rem;overflow:hidden;text-overflow:ellipsis;white-space:nowrap">'
        f"{escape(readable(name))}</span>"
        f'<span style="height:.7rem;border-radius:3px;width:{max(60 * count / most, 0.3):.1f}%;'
        f'background:{colours[name]}"></span><span>{count:,}</span></div>'
        for name, count in list(shown)[:24]
    ]
    more = f"<p>… and {len(counts) - 24:,} more classes</p>" if len(counts) > 24 else ""
    return f'<div style="max-width:46rem">{"".join(rows)}{more}</div>'


def _some(labelled: Dataset) -> Sequence[tuple[Record, str, str]]:
    """Images of as many classes as there is room for, in turn."""
    order = np.random.default_rng(0).permutation(len(labelled.records))
    by_class: dict[int, list[Record]] = {}
    for i in order:
        record = labelled.records[i]
        if record.label >= 0:
            by_class.setdefault(record.label, []).append(record)
    turns = [(k, label, r) for label, rs in by_class.items() for k, r in enumerate(rs[:_PICTURES])]
    chosen = [(label, record) for _, label, record in sorted(turns, key=lambda t: t[:2])]
    classes = labelled.taxonomy.classes
    return [(record, classes[c].name, classes[c].colour) for c, record in chosen[:_PICTURES]]


def _picture(record: Record) -> bytes | None:
    content = record.content
    key = None if content is None else base64.b64encode(content[:64]).decode()
    return _thumbnail(record.name, record.path, key, record)


@st.cache_data(max_entries=200, show_spinner=False)
def _thumbnail(name: str, path: Path, key: str | None, _record: Record) -> bytes | None:
    try:
        opened = open_image(_record.read(Limits()), short_side=2 * _SIDE)
    except ImageError:
        return None
    return thumbnail(opened.pixels, 2 * _SIDE, quality=78)
