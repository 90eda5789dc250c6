"""What a file is by its bytes, and what must be known or mended before Pillow unpacks it.

Damage outside the picture (text, a missing end, bytes in front) does not cost the picture; work
that has no relation to it (thousands of scans, a comment of megabytes) is refused beforehand.
"""

import contextlib
import io
import re
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, PngImagePlugin

from emoviz.errors import ImageError

# Metadata may be large: editing programs keep their history in it. Beyond this it is left out.
MAX_METADATA = 16_000_000
PngImagePlugin.MAX_TEXT_CHUNK = MAX_METADATA
PngImagePlugin.MAX_TEXT_MEMORY = 4 * MAX_METADATA

MAX_SCANS = 100  # of a JPEG; programs write ten, and each one costs a pass over all pixels
_MAX_BEFORE = 1024  # bytes in front of an image that are skipped
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")  # after a scan; 0xD0 to D7 belong to it
_GAP = rb"(?:\s++|#[^\r\n]*+[\r\n])++"  # white space and comments of a PPM's header
_NUMBER = rb"([-+.\d]{1,16})"
_PPM_HEADS = tuple(
    rb"(P[" + kinds + rb"])" + (_GAP + _NUMBER) * count + rb"\s"
    for kinds, count in ((b"14", 2), (b"2356f", 3))
)
_HEIF_BRANDS = frozenset(b"heic heix heim heis hevc hevx hevm hevs mif1 msf1 mif2".split())
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_JXL = (b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n")
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document; save its pictures as JPEG or PNG"),
    (b"PK\x03\x04", "a ZIP archive or an office document; of a workbook, save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old office document; of a workbook, save the sheet as CSV"),
    (b"<svg", "an SVG drawing; save it as PNG"),
    (b"<!doctype html", "a web page; the link may have led to an error page"),
    (b"<html", "a web page; the link may have led to an error page"),
    (b"<?xml", "an XML text"),
    *(
        (beginning, f"packed by {kind}; unpack it, and open what is in it")
        for beginning, kind in (
            *((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz")),
            *(
                (b"7z\xbc\xaf\x27\x1c", "7z"),
                (b"Rar!\x1a", "RAR"),
                (b"\x28\xb5\x2f\xfd", "Zstandard"),
            ),
        )
    ),
    (b"8BPS", "a Photoshop file; save it as JPEG or PNG"),
    (b"8BPB", "a Photoshop file; save it as JPEG or PNG"),
    (b"FUJIFILMCCD-RAW", "a camera's raw file; export it as JPEG"),
    (b"v/1\x01", "an OpenEXR image, which is not read here; export it as JPEG or PNG"),
    (b"#?RADIANCE", "a Radiance HDR image, which is not read here; export it as JPEG or PNG"),
    (b"\x00\x00\x01\x00", "an icon; save it as PNG"),
    (b"version https://git-lfs", "a text that stands for a file (Git LFS); fetch the file itself"),
    *(
        (beginning, "a JPEG XL image, which is not read here; export it as JPEG or PNG")
        for beginning in _JXL
    ),
)


def formats_of(data: bytes) -> tuple[str, ...]:
    """Pillow's names of the formats that such bytes may be in."""
    brands = brands_of(data)
    if brands & _AVIF_BRANDS:
        return ("AVIF",)
    if brands & _HEIF_BRANDS:
        import pillow_heif  # a few hundredths of a second, for those who need it

        pillow_heif.register_heif_opener(
            thumbnails=False, depth_images=False, aux_images=False, decode_threads=1
        )
        return ("HEIF",)
    # MPO (a JPEG with more pictures behind it) is opened as JPEG.
    return ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000")


def brands_of(data: bytes) -> frozenset[bytes]:
    """What an ISO media file (HEIC, AVIF) says that it may be read as; empty for all others."""
    if data[4:8] != b"ftyp":
        return frozenset()
    size = min(int.from_bytes(data[:4], "big"), 256)
    return frozenset([data[8:12], *(data[i : i + 4] for i in range(16, size, 4))])


def kind_told(data: bytes) -> str:
    """What a file is that is neither an image nor a text table, by its beginning; "" where that
    does not say."""
    head = data[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith((b"<?xml", b"<!--", b"<!doctype svg")) and b"<svg" in head:
        head = b"<svg"
    for beginning, words in _BEGINNINGS:
        if head.startswith(beginning) or data.startswith(beginning):
            return words
    return "a tar archive; unpack it, and open what is in it" if data[257:262] == b"ustar" else ""


def what_it_is(data: bytes) -> str:
    """Why bytes that no decoder knows are no image."""
    if words := kind_told(data):
        return f"it is {words}"
    if brands_of(data) & (_HEIF_BRANDS | _AVIF_BRANDS):
        return (
            "it is a HEIC or AVIF photograph that is damaged, or of a kind that is not read here; "
            "export it as JPEG"
        )
    if data[4:8] == b"ftyp":
        return "it is a film, not an image; save one of its pictures as JPEG"
    if data[:64].isascii() and b"\x00" not in data[:512]:
        return "it is a text, whatever its name says, not an image"
    return (
        "it is no image of a kind that is read here (JPEG, PNG, WebP, TIFF, GIF, BMP, AVIF, HEIC)"
    )


def mended(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The bytes as a decoder should have them, and what was done that a person may want to know.

    Raises:
        ImageError: Unpacking it would cost work out of proportion to the picture.
    """
    notes: tuple[str, ...] = ()
    place = _beginning(data)
    if place:
        data, notes = data[place:], (f"bytes before the image were skipped ({place})",)
    if data.startswith(_JPEG):
        check_scans(data)
    elif data.startswith(_PNG):
        data = _png_without_damaged_text(data)
    elif data[:1] == b"P":
        data = _ppm_without_comments(data)
    return data, notes


def check_scans(data: bytes) -> None:
    """Refuse a JPEG of very many scans, or of very many blocks of Exif: Pillow copies them anew.

    Raises:
        ImageError: It has more than `MAX_SCANS`.
    """
    marks = {"scans": b"\xff\xda", "blocks of Exif": b"Exif\0\0"}
    for words, mark in marks.items():
        if data.count(mark) <= MAX_SCANS:  # also those of pictures behind it, and previews
            continue
        found = sum(mark in (bytes((255, kind)), body[:6]) for kind, body in _jpeg_segments(data))
        if found > MAX_SCANS:
            raise ImageError(f"it has {found:,} {words}; at most {MAX_SCANS} are unpacked")


def with_end(data: bytes) -> bytes | None:
    """A JPEG that lacks only its end marker, with it; None where more is missing.

    Whatever follows a whole scan is skipped by a decoder, and what follows a broken one is read
    as a part of it. So with two different fillings behind, whole ones give the same picture.
    """
    if not _has_every_scan(data):
        return None
    filling = np.random.default_rng(0).integers(0, 255, 4096, dtype=np.uint8).tobytes()
    scans = data.rstrip(b"\xff")  # half of a marker
    ended = [
        scans + between + b"\xff\xd9" for between in (b"", filling.replace(b"\xff", b"\xff\0"))
    ]
    seen = []
    for candidate in ended:
        with Image.open(io.BytesIO(candidate), formats=("JPEG",)) as image:
            image.load()
            seen.append(image.tobytes())
    return ended[0] if seen[0] == seen[1] else None


def bmp_profile(data: bytes) -> bytes | None:
    """The colour profile inside a BMP of version 5, which Pillow passes over."""
    if len(data) < 138 or int.from_bytes(data[14:18], "little") < 124 or data[70:74] != b"DEBM":
        return None
    start, size = struct.unpack("<II", data[126:134])
    return data[14 + start : 14 + start + size] or None


def colour_numbers(data: bytes) -> dict[str, int] | None:
    """Primaries and curve as numbers of H.273: a PNG's cICP chunk, an AVIF's ``nclx``."""
    name, size = (b"\0\0\0\x04cICP", 1) if data.startswith(_PNG) else (b"colrnclx", 2)
    at = data.find(name, 0, 4096) + len(name)
    if at < len(name) or not (data.startswith(_PNG) or brands_of(data) & _AVIF_BRANDS):
        return None
    primaries, curve = (data[at + i * size : at + (i + 1) * size] for i in (0, 1))
    return {
        "color_primaries": int.from_bytes(primaries, "big"),
        "transfer_characteristics": int.from_bytes(curve, "big"),
    }


def _beginning(data: bytes) -> int:
    """Where a JPEG or PNG begins that has a few bytes of something else before it."""
    head = data[: _MAX_BEFORE + 8]
    places = [place for mark in (_JPEG, _PNG) if (place := head.find(mark)) >= 0]
    place = min(places, default=0)
    known = head.lstrip().lower()
    if place == 0 or any(known.startswith(start.lower()) for start, _ in _BEGINNINGS):
        return 0
    try:  # a file of another format may hold a JPEG near its beginning: a TIFF, an AVIF
        with Image.open(io.BytesIO(data), formats=formats_of(data)):
            return 0
    except Exception:  # whatever a plug-in raises for bytes that are not its own
        return place


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment of the first picture, up to its end."""
    at = 2
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if marker == 0xD9:
            return
        if marker in (0x01, 0xD8):
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        yield marker, data[at + 2 : at + length]
        at += max(length, 2)


def _has_every_scan(data: bytes) -> bool:
    """Whether a progressive JPEG's scans refine each coefficient to its last bit (T.81, G.1)."""
    progressive, components = False, 0
    left: dict[tuple[int, int], int] = {}
    for marker, body in _jpeg_segments(data):
        if marker == 0xC2 and len(body) > 5:
            progressive, components = True, body[5]
        if marker == 0xDA and body and len(body) >= 2 * body[0] + 4:
            first, last, bits = body[-3], body[-2], body[-1] & 15
            for i in range(body[0]):
                left |= {(body[1 + 2 * i], k): bits for k in range(first, min(last, 63) + 1)}
    return not progressive or (len(left) == 64 * components and not any(left.values()))


def _png_without_damaged_text(data: bytes) -> bytes:
    """A PNG without what is no part of its picture and cannot be read, or is of absurd length."""
    kept, room = [], MAX_METADATA
    for kind, whole in _png_chunks(data):
        ancillary = bool(kind[0] & 32)
        if ancillary and zlib.crc32(whole[4:-4]) != int.from_bytes(whole[-4:], "big"):
            continue
        if kind in (b"tEXt", b"zTXt", b"iTXt", b"iCCP"):
            size = _unpacked_size(whole, room)
            if size > room:
                continue
            room -= size
        kept.append(whole)
    mended = b"".join([_PNG, *kept])
    return data if len(mended) == len(data) else mended


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at : at + 12 + length]
        at += 12 + length


def _unpacked_size(chunk: bytes, room: int) -> int:
    """Bytes that a chunk of text or a profile holds; more than `room` where they do not fit."""
    packed = chunk.find(b"\x78", 9, 300)  # zlib's first byte, behind a keyword
    if chunk[4:8] != b"tEXt" and packed >= 0:
        with contextlib.suppress(zlib.error):  # text that is not packed
            return len(zlib.decompressobj().decompress(chunk[packed:-4], room + 1))
    return len(chunk)


def _ppm_without_comments(data: bytes) -> bytes:
    """A PPM whose header has no comments: Pillow reads them byte by byte."""
    for head in _PPM_HEADS if data.startswith(b"P") else ():
        if (found := re.match(head, data)) is not None and b"#" in found[0]:
            return b"\n".join(found.groups()) + b"\n" + data[found.end() :]
    return data
