"""Every kind of pixel means the same picture: profiles, gamma, deep and planar TIFF, HEIC, damage.

One picture is written in every kind that cameras, scanners and programs write it, and must come
out the same. TIFFs are written by tifffile, HEIC by pillow-heif, the rest by Pillow or by hand.
"""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pillow_heif
import pytest
import tifffile
from encoded import encode
from numpy.typing import NDArray
from PIL import Image, ImageCms

from emoviz.data.colours import made_profile
from emoviz.data.images import Limits, OpenedImage, open_image
from emoviz.errors import ImageError

pytestmark = pytest.mark.filterwarnings(r"ignore:::PIL\.")

pillow_heif.register_heif_opener()  # so that Pillow writes HEIC, too

COLOURS = ((222, 202, 26), (3, 12, 116), (147, 5, 3), (200, 200, 200), (0, 255, 90))
RGB = np.repeat(np.repeat(np.array([COLOURS], np.uint8), 20, axis=0), 10, axis=1)  # 20 x 50
GREY = np.asarray(Image.fromarray(RGB).convert("L"))
ALPHA = np.repeat(np.array([[255], [128], [0], [255]], np.uint8), 5, axis=0).repeat(50, axis=1)
SRGB_POINTS = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
P3_POINTS = (0.3127, 0.3290, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
LINEAR = made_profile(SRGB_POINTS, 1.0) or b""
LINEAR_GREY = made_profile(SRGB_POINTS, 1.0, grey=True) or b""
P3 = made_profile(P3_POINTS) or b""


def light(values: NDArray[Any]) -> NDArray[np.float64]:
    """Linear light 0 to 1 of sRGB bytes (IEC 61966-2-1)."""
    share = values / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def coded(values: NDArray[Any]) -> NDArray[np.float64]:
    """sRGB levels 0 to 255 of linear light, cut where it is out of range."""
    share = np.clip(values, 0, 1)
    low = share <= 0.0031308
    return 255 * np.where(low, 12.92 * share, 1.055 * share ** (1 / 2.4) - 0.055)


def p3_as_srgb(values: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Display P3 bytes in sRGB, by the matrices that the primaries define; both whites are D65."""

    def to_xyz(points: tuple[float, ...]) -> NDArray[np.float64]:
        x, y = np.array(points).reshape(4, 2).T
        colours = np.stack([x / y, np.ones(4), (1 - x - y) / y])
        return colours[:, 1:] * np.linalg.solve(colours[:, 1:], colours[:, 0])

    matrix = np.linalg.solve(to_xyz(SRGB_POINTS), to_xyz(P3_POINTS))
    return coded(light(values) @ matrix.T)


def tiff(values: NDArray[Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes, right: bool = True) -> bytes:
    check = zlib.crc32(kind + body) ^ (not right)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def with_chunks(data: bytes, *chunks: bytes) -> bytes:
    """A PNG with more chunks, directly behind its header."""
    return data[:33] + b"".join(chunks) + data[33:]


def on_white(values: NDArray[Any]) -> NDArray[np.float64]:
    share = ALPHA / 255 if values.ndim == 2 else ALPHA[..., None] / 255
    return values * share + 255 * (1 - share)


def assert_shows(data: bytes, wanted: NDArray[Any], tolerance: float = 1) -> OpenedImage:
    opened = open_image(data)
    found = np.asarray(opened.pixels, np.float64)
    wanted = wanted if wanted.ndim == 3 else np.repeat(wanted[..., None], 3, axis=2)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= tolerance
    return opened


# TIFF ----------------------------------------------------------------------------------------

DEPTHS = ["uint8", "uint16", "uint32", "int16", "float16", "float32", "float64"]
STORED = [
    {"byteorder": "<"},
    {"byteorder": ">", "compression": "zlib"},
    {"byteorder": ">", "tile": (16, 32)},
    {"byteorder": "<", "tile": (16, 16), "compression": "zlib"},
    {"byteorder": "<", "bigtiff": True, "rowsperstrip": 7},
]


def scaled(values: NDArray[np.uint8], depth: str) -> NDArray[Any]:
    kind = np.dtype(depth)
    if kind.kind == "f":
        return (values / 255).astype(kind)
    return np.round(values / 255 * float(np.iinfo(kind).max)).astype(kind)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("stored", STORED, ids=str)
@pytest.mark.parametrize("plan", ["contig", "separate"])
def test_deep_planar_and_layered_tiff_show_one_picture(
    depth: str, stored: dict[str, Any], plan: str
) -> None:
    def written(values: NDArray[np.uint8], kind: str, *extras: str) -> bytes:
        samples = scaled(values, depth)
        samples = np.moveaxis(samples, -1, 0) if plan == "separate" else samples
        return tiff(
            samples, photometric=kind, planarconfig=plan, extrasamples=list(extras), **stored
        )

    inks = np.dstack([255 - RGB, np.zeros_like(GREY)])
    multiplied = np.round(RGB * (ALPHA[..., None] / 255)).astype(np.uint8)
    assert_shows(written(RGB, "rgb"), RGB)
    assert_shows(written(np.dstack([RGB, ALPHA]), "rgb", "unassalpha"), on_white(RGB), 2)
    assert_shows(written(np.dstack([multiplied, ALPHA]), "rgb", "assocalpha"), on_white(RGB), 2)
    assert_shows(written(np.dstack([RGB, ALPHA]), "rgb", "unspecified"), RGB)
    several = np.dstack([RGB, GREY, ALPHA])
    assert_shows(written(several, "rgb", "unspecified", "unassalpha"), on_white(RGB), 2)
    assert_shows(written(inks, "separated"), RGB)
    assert_shows(written(np.dstack([inks, ALPHA]), "separated", "unassalpha"), on_white(RGB), 2)
    two = np.dstack([GREY, ALPHA])
    assert_shows(written(two, "minisblack", "unassalpha"), on_white(GREY), 2)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("stored", STORED, ids=str)
def test_grey_tiff_counts_from_black_or_from_white(depth: str, stored: dict[str, Any]) -> None:
    assert_shows(tiff(scaled(GREY, depth), photometric="minisblack", **stored), GREY)
    reversed_ = scaled(255 - GREY, depth)
    assert_shows(tiff(reversed_, photometric="miniswhite", **stored), GREY)


@pytest.mark.parametrize("packed", ["tiff_lzw", "packbits", "zstd", "lzma", "tiff_adobe_deflate"])
def test_deep_tiff_is_read_however_it_is_packed(packed: str) -> None:
    deep = Image.fromarray(GREY.astype(np.uint16) * 257)
    assert_shows(encode(deep, "TIFF", compression=packed), GREY)
    assert_shows(encode(Image.fromarray(GREY / np.float32(255)), "TIFF", compression=packed), GREY)


@pytest.mark.parametrize("depth", ["uint16", "uint32", "uint8"])
def test_horizontal_differences_of_a_planar_tiff_are_summed(depth: str) -> None:
    planes = np.moveaxis(scaled(RGB, depth), -1, 0)
    options = {"photometric": "rgb", "planarconfig": "separate", "compression": "zlib"}
    assert_shows(tiff(planes, predictor=True, **options), RGB)


def hand_made_tiff(raw: bytes, *entries: tuple[int, int]) -> bytes:
    """Little-endian, one strip, values of four bytes."""
    start = 8 + 2 + 12 * (len(entries) + 2) + 4
    table = sorted([*entries, (273, start), (279, len(raw))])
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in table)
    return struct.pack("<2sHIH", b"II", 42, 8, len(table)) + body + bytes(4) + raw


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_samples_of_odd_widths_are_unpacked(bits: int) -> None:
    values = np.round(GREY / 255 * ((1 << bits) - 1)).astype(np.int64)
    digits = (values[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    raw = np.packbits(digits.reshape(20, -1).astype(np.uint8), axis=1).tobytes()
    entries = [(256, 50), (257, 20), (258, bits), (259, 1), (262, 1), (277, 1), (278, 20)]
    assert_shows(hand_made_tiff(raw, *entries), GREY)


def test_floating_point_differences_are_undone() -> None:
    """Predictor 3 by its definition: bytes of one weight together, then differences."""
    values = (GREY / 255).astype(">f4")
    planes = values.view(np.uint8).reshape(20, 50, 4).transpose(0, 2, 1).reshape(20, 200)
    steps = np.diff(planes, axis=1, prepend=np.uint8(0))
    entries = [(256, 50), (257, 20), (258, 32), (259, 8), (262, 1), (277, 1), (278, 20)]
    packed = zlib.compress(steps.astype(np.uint8).tobytes())
    assert_shows(hand_made_tiff(packed, *entries, (317, 3), (339, 3)), GREY)


@pytest.mark.parametrize("kind", ["cielab", "icclab"])
@pytest.mark.parametrize("plan", ["contig", "separate"])
@pytest.mark.parametrize("bits", [8, 16])
def test_lab_is_signed_or_counted_from_the_middle(kind: str, plan: str, bits: int) -> None:
    near = np.array([[[128, 0, 0], [200, 20, -30]]], np.int64)  # L of 255, a, b
    stored = near + (np.array([0, 128, 128]) if kind == "icclab" else 0)
    values = (stored & 255).astype(np.uint8)
    if bits == 16:
        values = values.astype(np.uint16) << 8
    values = np.moveaxis(values, -1, 0) if plan == "separate" else values
    lab = Image.frombytes("LAB", (2, 1), (near & 255).astype(np.uint8).tobytes())
    profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    wanted = np.asarray(ImageCms.profileToProfile(lab, *profiles, outputMode="RGB"))
    assert_shows(tiff(values, photometric=kind, planarconfig=plan), wanted, 2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_tiff_with_alpha_is_turned_as_a_whole(orientation: int) -> None:
    deep = scaled(np.dstack([RGB, ALPHA]), "uint16")
    tag = (274, "H", 1, orientation, True)
    options = {"photometric": "rgb", "extrasamples": ["unassalpha"]}
    turned = np.asarray(open_image(tiff(deep, extratags=[tag], **options)).pixels)
    flat = Image.fromarray(np.round(on_white(RGB)).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    wanted = np.asarray(open_image(encode(flat, exif=exif)).pixels)
    assert np.abs(turned.astype(int) - wanted).max() <= 2


@pytest.mark.parametrize("small_first", [True, False])
def test_reduced_version_in_a_tiff_is_no_page(small_first: bool) -> None:
    pages: list[tuple[NDArray[np.uint8], int]] = [(RGB[::5, ::5], 1), (RGB, 0)]
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for values, kind in pages if small_first else pages[::-1]:
            writer.write(values, photometric="rgb", subfiletype=kind)
    assert assert_shows(buffer.getvalue(), RGB, 0).notes == ()


def test_deep_tiff_that_unpacks_to_too_much_is_refused_before() -> None:
    raw = zlib.compress(bytes(1000))
    entries = [(256, 9000), (257, 9000), (258, 64), (259, 8), (262, 1), (278, 9000)]
    data = hand_made_tiff(raw, *entries, (277, 2), (339, 3))
    with pytest.raises(ImageError, match=r"unpacks to 1,296 MB; at most 960 MB"):
        open_image(data)


@pytest.mark.parametrize("keep", [0.3, 0.9])
@pytest.mark.parametrize("packed", [None, "zlib"])
def test_deep_tiff_that_is_cut_short_is_refused(keep: float, packed: str | None) -> None:
    noise = np.random.default_rng(0).integers(0, 65535, (40, 40, 3), dtype=np.uint16)
    data = tiff(noise, photometric="rgb", compression=packed)
    with pytest.raises(ImageError, match="cut short"):
        open_image(data[: int(len(data) * keep)])


# Profiles, gamma, primaries ------------------------------------------------------------------


def test_a_profile_made_of_srgbs_numbers_is_srgb_and_one_of_p3_is_not() -> None:
    image = Image.fromarray(RGB)
    plain = encode(image, icc_profile=made_profile(SRGB_POINTS))
    assert_shows(plain, RGB, 0)
    assert_shows(encode(image, icc_profile=P3), p3_as_srgb(RGB), 2)


@pytest.mark.parametrize(
    ("fmt", "tolerance"), [("PNG", 2), ("TIFF", 2), ("WEBP", 2), ("HEIF", 8), ("AVIF", 8)]
)
@pytest.mark.parametrize("layered", [False, True])
def test_profile_is_followed_in_every_format(fmt: str, tolerance: int, layered: bool) -> None:
    tile = np.full((16, 16, 3), (180, 60, 90), np.uint8)
    values = np.dstack([tile, np.full((16, 16), 128, np.uint8)]) if layered else tile
    save: dict[str, object] = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100}}.get(fmt, {})
    data = encode(Image.fromarray(values), fmt, icc_profile=P3, **save)
    wanted = p3_as_srgb(tile)
    wanted = wanted * (128 / 255) + 255 * (127 / 255) if layered else wanted
    assert_shows(data, wanted, tolerance)


def test_profile_that_calls_itself_srgb_is_used_all_the_same() -> None:
    at = LINEAR.index(b"curv")
    named = LINEAR[:at] + LINEAR[at:]
    name = b"desc" + bytes(4) + struct.pack(">I", 5) + b"sRGB\0" + bytes(79)
    count = int.from_bytes(named[128:132], "big")
    entry = struct.pack(">4sII", b"desc", len(named) + 12, len(name))
    table = b"".join(
        named[132 + 12 * i : 136 + 12 * i]
        + struct.pack(">I", int.from_bytes(named[136 + 12 * i : 140 + 12 * i], "big") + 12)
        + named[140 + 12 * i : 144 + 12 * i]
        for i in range(count)
    )
    whole = named[:128] + struct.pack(">I", count + 1) + table + entry
    whole += named[132 + 12 * count :] + name
    profile = struct.pack(">I", len(whole)) + whole[4:]
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    assert "srgb" in ImageCms.getProfileDescription(source).casefold()
    stored = np.round(255 * light(RGB)).astype(np.uint8)
    data = encode(Image.fromarray(stored), icc_profile=profile)
    assert_shows(data, coded(stored / 255), 2)


def test_palette_png_follows_its_profile() -> None:
    stored = np.round(255 * light(RGB)).astype(np.uint8)
    image = Image.fromarray(stored).quantize(8)
    shown = coded(np.asarray(image.convert("RGB")) / 255)
    assert_shows(encode(image, icc_profile=LINEAR), shown, 2)
    assert image.mode == "P"


@pytest.mark.parametrize("fmt", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_shadows_through_a_profile(fmt: str) -> None:
    ramp = np.arange(256, dtype=np.float64).reshape(8, 32)
    deep = Image.fromarray(np.round(65535 * light(ramp)).astype(np.uint16))
    assert_shows(encode(deep, fmt, icc_profile=LINEAR_GREY), ramp)


def test_grey_png_with_alpha_follows_a_grey_profile() -> None:
    stored = np.round(255 * light(GREY)).astype(np.uint8)
    image = Image.merge("LA", [Image.fromarray(stored), Image.fromarray(ALPHA)])
    assert_shows(encode(image, icc_profile=LINEAR_GREY), on_white(coded(stored / 255)), 2)


GAMMA_1, GAMMA_USUAL = (chunk(b"gAMA", struct.pack(">I", value)) for value in (100_000, 45_455))
CHRM_P3, CHRM_SRGB = (
    chunk(b"cHRM", struct.pack(">8I", *(round(1e5 * value) for value in points)))
    for points in (P3_POINTS, SRGB_POINTS)
)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA"])
def test_gamma_of_a_png_is_followed(mode: str) -> None:
    stored = Image.fromarray(np.round(255 * light(RGB)).astype(np.uint8))
    image = stored.quantize(8) if mode == "P" else stored.convert(mode)
    shown = coded(np.asarray(image.convert("RGB")) / 255)
    assert_shows(with_chunks(encode(image), GAMMA_1), shown, 2)


@pytest.mark.parametrize(
    "chunks",
    [
        (GAMMA_USUAL, CHRM_SRGB),
        (GAMMA_1, chunk(b"sRGB", b"\0")),
        (chunk(b"gAMA", bytes(4)),),
        (chunk(b"cHRM", bytes(32)),),
        (chunk(b"cICP", bytes([1, 13, 0, 1])), GAMMA_1),
        (chunk(b"gAMA", struct.pack(">I", 100_000), right=False),),
        (chunk(b"iCCP", b"x\0\0" + zlib.compress(LINEAR), right=False),),
    ],
)
def test_png_that_means_srgb_or_nothing_is_left_as_it_is(chunks: tuple[bytes, ...]) -> None:
    assert_shows(with_chunks(encode(Image.fromarray(RGB)), *chunks), RGB, 0)


@pytest.mark.parametrize(
    "chunks", [(GAMMA_USUAL, CHRM_P3), (CHRM_P3,), (chunk(b"cICP", bytes([12, 13, 0, 1])), GAMMA_1)]
)
def test_primaries_of_a_png_are_followed(chunks: tuple[bytes, ...]) -> None:
    assert_shows(with_chunks(encode(Image.fromarray(RGB)), *chunks), p3_as_srgb(RGB), 2)


# BMP -----------------------------------------------------------------------------------------


def bmp(values: NDArray[np.uint8], profile: bytes = b"") -> bytes:
    """32 bits with masks, version 4, or version 5 with a profile behind the pixels."""
    height, width = values.shape[:2]
    raw = values[::-1, :, [2, 1, 0, 3]].tobytes()
    header = 124 if profile else 108
    head = struct.pack("<IiiHHII", header, width, height, 1, 32, 3, len(raw)) + bytes(16)
    head += struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head += (b"DEBM" if profile else b"BGRs") + bytes(48)
    if profile:
        head += struct.pack("<4I", 4, header + len(raw), len(profile), 0)
    start = 14 + header
    whole = struct.pack("<2sIII", b"BM", start + len(raw) + len(profile), 0, start)
    return whole + head + raw + profile


def test_bmp_whose_alpha_is_empty_is_opaque_and_another_is_not() -> None:
    assert_shows(bmp(np.dstack([RGB, np.zeros_like(GREY)])), RGB, 0)
    assert_shows(bmp(np.dstack([RGB, ALPHA])), on_white(RGB))


def test_profile_inside_a_bmp_is_followed() -> None:
    data = bmp(np.dstack([RGB, np.full_like(GREY, 255)]), P3)
    assert_shows(data, p3_as_srgb(RGB), 2)


# HEIC ----------------------------------------------------------------------------------------


def heic(image: Image.Image, *others: Image.Image) -> bytes:
    file = pillow_heif.from_pillow(image)
    for other in others:
        file.add_from_pillow(other)
    buffer = io.BytesIO()
    file.save(buffer, quality=95)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_is_read_upright(orientation: int) -> None:
    corners = np.array([[10, 80], [150, 220]], np.uint8).repeat(16, 0).repeat(32, 1)
    image = Image.fromarray(corners).convert("RGB")
    image.getexif()[0x0112] = orientation
    opened = open_image(encode(image, "HEIF", quality=95))
    exif = Image.Exif()
    exif[0x0112] = orientation
    wanted = open_image(encode(Image.fromarray(corners), exif=exif))
    assert opened.size == opened.pixels.size == wanted.size
    difference = np.asarray(opened.pixels).astype(int) - np.asarray(wanted.pixels)
    assert np.abs(difference).mean() < 3


def test_heic_with_several_pictures_shows_the_main_one_and_says_so() -> None:
    first, second = (Image.new("RGB", (32, 32), colour) for colour in ((200, 30, 30), (9, 9, 200)))
    opened = assert_shows(heic(first, second), np.asarray(first), 6)
    assert opened.notes == ("several pictures: the main one is used",)


def test_heic_that_is_cut_or_garbled_is_called_a_heic() -> None:
    data = heic(Image.fromarray(RGB))
    for broken in (data[:24], data[:200], data[:28] + bytes(len(data) - 28)):
        with pytest.raises(ImageError, match=r"HEIC|cut short"):
            open_image(broken)


def test_jpeg_xl_is_named() -> None:
    for start in (b"\xff\x0a" + bytes(50), b"\x00\x00\x00\x0cJXL \r\n\x87\n" + bytes(50)):
        with pytest.raises(ImageError, match="JPEG XL"):
            open_image(start)


# Damage beside the picture -------------------------------------------------------------------


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("end", [b"", b"\xff"])
def test_jpeg_that_lacks_only_its_end_is_read(
    progressive: bool, subsampling: int, end: bytes
) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (61, 83, 3), dtype=np.uint8)
    save = {"progressive": progressive, "subsampling": subsampling, "quality": 90}
    whole = encode(Image.fromarray(noise), "JPEG", **save)
    wanted = np.asarray(Image.open(io.BytesIO(whole)))
    opened = assert_shows(whole[:-2] + end, wanted, 0)
    assert "end marker" in opened.notes[0]
    for lost in (12, 40, len(whole) // 2):
        with pytest.raises(ImageError, match="cut short"):
            open_image(whole[:-lost])


def test_progressive_jpeg_that_lacks_whole_scans_is_refused() -> None:
    noise = np.random.default_rng(3).integers(0, 255, (61, 83, 3), dtype=np.uint8)
    whole = encode(Image.fromarray(noise), "JPEG", progressive=True)
    for keep in range(1, whole.count(b"\xff\xda")):
        at = -1
        for _ in range(keep + 1):
            at = whole.index(b"\xff\xda", at + 1)
        before = whole.rfind(b"\xff\xc4", 0, at)  # the tables in front of the scan
        for cut in (whole[:at], whole[:before]):
            with pytest.raises(ImageError, match="cut short"):
                open_image(cut)


@pytest.mark.parametrize("fmt", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    "before", [b"\n", b"\r\n", b"\0", b"HTTP/1.1 200 OK\r\n\r\n", b"\xef\xbb\xbf"]
)
def test_bytes_before_an_image_are_skipped_and_said(fmt: str, before: bytes) -> None:
    whole = encode(Image.fromarray(RGB), fmt)
    wanted = np.asarray(Image.open(io.BytesIO(whole)))
    opened = assert_shows(before + whole, wanted, 0)
    assert opened.notes == (f"bytes before the image were skipped ({len(before)})",)
    assert opened.sha256 != open_image(whole).sha256


def test_a_document_with_a_jpeg_near_its_beginning_is_a_document() -> None:
    photograph = encode(Image.fromarray(RGB), "JPEG")
    for front, name in ((b"%PDF-1.4\n", "PDF"), (b"<html>", "web page"), (b"8BPS", "Photoshop")):
        with pytest.raises(ImageError, match=name):
            open_image(front + photograph)


def test_preview_inside_a_tiff_is_not_mistaken_for_the_image() -> None:
    preview = encode(Image.new("RGB", (8, 8), (255, 0, 0)), "JPEG")
    raw = RGB.tobytes()
    entries = [(256, 50), (257, 20), (258, 8), (259, 1), (262, 2), (277, 3), (278, 20)]
    data = hand_made_tiff(raw, *entries)
    start = data.index(raw)
    moved = data[:start].replace(struct.pack("<I", start), struct.pack("<I", start + len(preview)))
    assert_shows(moved + preview + raw, RGB, 0)


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"tEXt", b"Comment\0hello", right=False),
        chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(3_000_000))),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b" " * 3_000_000)),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b" " * 3_000_000),
        chunk(b"tEXt", b"Comment\0" + b"x" * 30_000_000),
        chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(3_000_000))) * 40,
        chunk(b"eXIf", b"MM\0*" + bytes(3_000_000)),
    ],
    ids=["bad sum", "zTXt", "packed XMP", "XMP", "30 MB", "40 x 3 MB", "EXIF"],
)
def test_text_of_a_png_costs_nothing_however_much_it_is(extra: bytes) -> None:
    assert_shows(with_chunks(encode(Image.fromarray(RGB)), extra), RGB, 0)


def test_profile_of_megabytes_is_followed() -> None:
    padded = P3 + bytes(2_000_000)
    padded = struct.pack(">I", len(padded)) + padded[4:]
    assert_shows(encode(Image.fromarray(RGB), icc_profile=padded), p3_as_srgb(RGB), 2)


# Work ----------------------------------------------------------------------------------------


def jpeg_of_many_scans(scans: int) -> bytes:
    whole = encode(Image.fromarray(RGB), "JPEG", progressive=True)
    at = whole.rindex(b"\xff\xda")
    return whole[:at] + whole[at:-2] * scans + b"\xff\xd9"


def test_jpeg_of_very_many_scans_is_refused() -> None:
    open_image(jpeg_of_many_scans(50))
    with pytest.raises(ImageError, match=r"scans; at most 100"):
        open_image(jpeg_of_many_scans(3000))
    block = b"\xff\xe1\x00\x0aExif\0\0II"
    with pytest.raises(ImageError, match=r"101 blocks of Exif; at most 100"):
        open_image(b"\xff\xd8" + 101 * block + jpeg_of_many_scans(1)[2:])


def test_scans_of_pictures_behind_a_jpeg_do_not_count() -> None:
    whole = encode(Image.fromarray(RGB), "JPEG", progressive=True)
    wanted = np.asarray(Image.open(io.BytesIO(whole)))
    assert_shows(whole + whole * 200, wanted, 0)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_comment_of_megabytes_in_a_ppm_is_passed_over(place: int) -> None:
    parts = [b"P6\n", b"50 20\n", b"255\n"]
    parts.insert(place + 1, b"#" + b"x" * 30_000_000 + b"\n#\n") if place < 2 else None
    assert_shows(b"".join(parts) + RGB.tobytes(), RGB, 0)


def test_longest_side_is_capped() -> None:
    limits = Limits(max_side=200)
    assert open_image(encode(Image.new("L", (200, 1))), limits).size == (200, 1)
    with pytest.raises(ImageError, match="a side may have 200 at most"):
        open_image(encode(Image.new("L", (201, 1))), limits)
    assert Limits().max_side == 100_000
