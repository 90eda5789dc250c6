"""Whole files of every kind, small, and ways to damage them that know where it hurts."""

import copy
import csv
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pillow_heif
import pyarrow as pa
import pyarrow.parquet as pq
import tifffile
from encoded import png_chunk
from hypothesis import strategies as st
from PIL import Image

from emoviz.data.colours import made_profile

Draw = Callable[[st.SearchStrategy[Any]], Any]
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def _saved(image: Image.Image, fmt: str, **save: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, fmt, **save)
    return buffer.getvalue()


@cache
def images() -> tuple[bytes, ...]:
    """Images of every format, mode, depth and habit that is read."""
    pillow_heif.register_heif_opener()
    rgb = np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    rgb[:12] = (200, 30, 90)
    image, exif = Image.fromarray(rgb), Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    profile = made_profile((0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06))
    made = [
        _saved(image, fmt, **save)
        for fmt in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF")
        for save in ({"exif": exif}, {"icc_profile": profile})
    ]
    made += [_saved(image, fmt) for fmt in ("GIF", "BMP", "PPM", "JPEG2000", "MPO")]
    made += [_saved(image, "JPEG", progressive=True), _saved(image.convert("CMYK"), "JPEG")]
    made += [_saved(image, "TIFF", compression=kind) for kind in ("tiff_lzw", "jpeg", "zstd")]
    for mode in ("1", "L", "LA", "P", "RGBA"):
        made.append(_saved(image.convert(mode), "PNG"))
    frames = [image.rotate(angle) for angle in (90, 180)]
    made += [
        _saved(image, fmt, save_all=True, append_images=frames)
        for fmt in ("GIF", "WEBP", "PNG", "TIFF", "AVIF")
    ]
    for kind in ("uint16", "float32"):
        deep = (rgb / 255 * (65535 if kind == "uint16" else 1)).astype(kind)
        for options in ({"planarconfig": "contig", "compression": "zlib"}, {"tile": (16, 16)}):
            buffer = io.BytesIO()
            tifffile.imwrite(buffer, deep, photometric="rgb", **options)
            made.append(buffer.getvalue())
    plain = _saved(image, "PNG")
    gamma = png_chunk(b"gAMA", struct.pack(">I", 100_000)) + png_chunk(b"cHRM", bytes(range(32)))
    text = png_chunk(b"zTXt", b"note\0\0" + zlib.compress(b"x" * 5000))
    made += [plain[:33] + gamma + text + plain[33:], b"\r\n" + plain, made[0][:-2]]
    made += [b"P3\n# comment\n2 1\n255\n1 2 3 4 5 6\n", b"Pf\n2 1\n-1.0\n" + bytes(8)]
    return tuple(made)


@cache
def tables() -> tuple[bytes, ...]:
    """Tables as people have them: text in several encodings, and Parquet."""
    rows = [["file", "label", "artist"], ["a.jpg", "joy", "Ásta"], ["b/c.png", "fear", 'a "b"']]
    texts = []
    for delimiter in ",;\t":
        stream = io.StringIO()
        csv.writer(stream, delimiter=delimiter).writerows(rows)
        texts.append(stream.getvalue())
    texts.append("sep=;\nfile;joy;fear\na.jpg;0,5;0,5\nb.jpg;1;\n")
    made = [text.encode(kind) for text in texts for kind in ("utf-8", "utf-8-sig", "utf-16")]
    parquet = io.BytesIO()
    images_ = pa.array([{"bytes": b"x", "path": "a.jpg"}, {"bytes": None, "path": "b.jpg"}])
    pq.write_table(pa.table({"image": images_, "label": pa.array([0, 1])}), parquet)
    return (*made, texts[0].encode("cp1252"), parquet.getvalue())


@cache
def archives() -> tuple[bytes, ...]:
    """ZIPs of classes as folders, of a table with images, and one in another."""
    picture = images()[0]
    made = []
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", kind) as archive:
            archive.writestr("set/joy/a.jpg", picture)
            archive.writestr("set/fear/b.jpg", picture)
            archive.writestr("set/labels.csv", "file,label\njoy/a.jpg,joy\n")
            archive.writestr("__MACOSX/x", b"x")
            if made:
                archive.writestr("inner.zip", made[0])
        made.append(buffer.getvalue())
    return tuple(made)


@st.composite
def damaged(draw: Draw, wholes: tuple[bytes, ...]) -> bytes:
    """One of some files with a few changes, most of them near its beginning, where sizes stand."""
    data = bytearray(draw(st.sampled_from(wholes)))
    for _ in range(draw(st.integers(0, 6))):
        if not data:
            break
        near = draw(st.booleans())
        at = draw(st.integers(0, min(len(data), 300 if near else len(data)) - 1))
        what = draw(st.sampled_from(("byte", "number", "cut", "insert", "repeat", "end", "splice")))
        if what == "byte":
            data[at] = draw(st.integers(0, 255))
        elif what == "number":
            width = draw(st.sampled_from((1, 2, 4)))
            value = draw(st.sampled_from(_EXTREMES)) & ((1 << 8 * width) - 1)
            data[at : at + width] = value.to_bytes(width, draw(st.sampled_from(("big", "little"))))
        elif what == "cut":
            del data[at : at + draw(st.integers(1, 64))]
        elif what == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=32))
        elif what == "repeat":
            part = data[at : at + draw(st.integers(1, 64))]
            data[at:at] = part * draw(st.integers(1, 50))
        elif what == "end":
            del data[at:]
        else:
            other = draw(st.sampled_from(wholes))
            start = draw(st.integers(0, len(other)))
            data[at:] = other[start:]
    return bytes(data)


# Values ----------------------------------------------------------------------------------------

ODD = st.sampled_from(
    [
        None, True, "", "\0", "a" * 5000, "\ud800", "http://[", "javascript:alert(1)", "../../x",
        -1, 0, 2**31, 2**63, 10**400, float("nan"), float("inf"), 1e308, [], {}, [[]], {"": None},
    ]
)  # fmt: skip
JSON = st.recursive(
    ODD | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


def places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, as keys and indices."""
    found = [above] if above else []
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        found += places(value[key], (*above, key))
    return found


@st.composite
def changed(draw: Draw, value: Any) -> Any:
    """A JSON value with a few of its parts replaced, left out or put somewhere else."""
    made = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        known = places(made)
        if not known:
            break
        *way, last = draw(st.sampled_from(known))
        parent = made
        for key in way:
            parent = parent[key]
        what = draw(st.sampled_from(("odd", "json", "gone", "list", "elsewhere")))
        if what == "gone":
            del parent[last]
        elif what == "list":
            parent[last] = [copy.deepcopy(parent[last])] * draw(st.integers(0, 3))
        elif what == "elsewhere":
            *far, end = draw(st.sampled_from(known))
            found = value
            with_it = True
            for key in [*far, end]:
                try:
                    found = found[key]
                except (KeyError, IndexError, TypeError):
                    with_it = False
                    break
            parent[last] = copy.deepcopy(found) if with_it else None
        else:
            # A copy: what is put in may be changed in its turn, and is drawn again.
            parent[last] = copy.deepcopy(draw(ODD if what == "odd" else JSON))
    return made
