"""Bytes to pixels: every kind of bad file that a person may drop, made here and now."""

import hashlib
import io
import os
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from encoded import encode, png_chunk
from PIL import Image, ImageCms

from emoviz.data.images import Limits, OpenedImage, open_image, read_file, thumbnail
from emoviz.errors import ImageError

Picture = Callable[..., bytes]
# Pillow warns of some kinds of damage; outside pytest `emoviz.data.images` keeps that quiet.
pytestmark = pytest.mark.filterwarnings(r"ignore:::PIL\.")


def pixels(opened: OpenedImage) -> np.ndarray:
    return np.asarray(opened.pixels)


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG written by hand: Pillow cannot write every kind that it must read."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(rows, 9))
        + png_chunk(b"IEND", b"")
    )


def with_chunk(data: bytes, chunk: bytes) -> bytes:
    """A PNG with one chunk more, before its pixels."""
    at = data.index(b"IDAT") - 4
    return data[:at] + chunk + data[at:]


# Ordinary files ------------------------------------------------------------------------------


ALL_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "MPO", "PPM", "AVIF", "JPEG2000")


@pytest.mark.parametrize("fmt", ALL_FORMATS)
def test_every_promised_format_is_read(picture: Picture, fmt: str) -> None:
    data = picture(fmt, size=(40, 30))
    opened = open_image(data)
    reference = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert opened.pixels.mode == "RGB"
    assert opened.size == (40, 30)
    np.testing.assert_array_equal(pixels(opened), reference)
    assert opened.notes == ()


def test_hash_is_that_of_the_bytes_whatever_is_decoded(picture: Picture) -> None:
    data = picture(size=(640, 480))
    digest = hashlib.sha256(data).hexdigest()
    assert open_image(data).sha256 == digest
    assert open_image(data, short_side=100).sha256 == digest


def test_grey_and_one_bit_images_become_rgb() -> None:
    grey = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    np.testing.assert_array_equal(pixels(open_image(encode(grey)))[..., 1], np.asarray(grey))
    bits = Image.fromarray(np.arange(64).reshape(8, 8) % 3 == 0).convert("1")
    wanted = np.asarray(bits) * np.uint8(255)
    np.testing.assert_array_equal(pixels(open_image(encode(bits)))[..., 2], wanted)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (10_000, 50), (50, 10_000)])
def test_extreme_shapes_are_read(picture: Picture, size: tuple[int, int]) -> None:
    opened = open_image(picture("PNG", size=size), short_side=224)
    assert opened.size == opened.pixels.size == size


# Damaged -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF"])
@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.9, 0.97])
def test_truncated_file_is_refused_with_a_reason(picture: Picture, fmt: str, share: float) -> None:
    save = {"compression": "tiff_lzw"} if fmt == "TIFF" else {}
    data = picture(fmt, size=(200, 150), **save)
    with pytest.raises(ImageError, match=r"damaged|cut short|no image of a kind"):
        open_image(data[: int(len(data) * share)])


def test_empty_file_is_refused() -> None:
    with pytest.raises(ImageError, match="empty"):
        open_image(b"")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"Dear Sir, this is a letter that someone called photo.jpg.\n" * 9, "a text"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "a web page"),
        (b"\n  <HTML><head></head></HTML>", "a web page"),
        (b'{"error": "not found"}', "a text"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "PDF"),
        (b"PK\x03\x04\x14\x00\x00\x00", "ZIP archive"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"<?xml version='1.0'?><note/>", "XML"),
        (b"\xef\xbb\xbf<!doctype html><p>404</p>", "a web page"),
        (b"<html><svg></svg></html>", "a web page"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + b"\x00" * 40, "HEIC"),
        (b"\x1f\x8b\x08\x00" + b"\x00" * 9, "gzip"),
        (b"8BPS\x00\x01" + b"\x00" * 30, "Photoshop"),
        (b"GIF", "a text|no image of a kind"),
        (b"\x00" * 4096, "no image of a kind"),
        (b"caf\xe9 " * 30, "no image of a kind"),
    ],
)
def test_other_kinds_of_file_are_called_by_their_name(data: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        open_image(data)


def test_random_bytes_are_refused() -> None:
    rng = np.random.default_rng(0)
    for length in (1, 2, 11, 100, 5000):
        for _ in range(10):
            with pytest.raises(ImageError):
                open_image(rng.bytes(length))


@pytest.mark.parametrize("fmt", ALL_FORMATS)
def test_corrupted_file_gives_an_image_or_a_reason_and_nothing_else(
    picture: Picture, fmt: str
) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    save = {"exif": exif} if fmt in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "MPO") else {}
    whole = picture(fmt, size=(48, 32), **save)
    rng = np.random.default_rng(sum(fmt.encode()))
    refused = 0
    for round_ in range(250):
        data = bytearray(whole)
        reach = len(data) if round_ % 2 else min(len(data), 400)  # the header decides the most
        for _ in range(int(rng.integers(1, 12))):
            data[int(rng.integers(0, reach))] = int(rng.integers(0, 256))
        if round_ % 5 == 0:
            cut = int(rng.integers(0, len(data)))
            del data[cut : cut + int(rng.integers(1, 40))]
        try:
            opened = open_image(bytes(data), Limits(10**6, 10**6), short_side=16)
        except ImageError:
            refused += 1
        else:
            assert opened.pixels.mode == "RGB"
            assert min(opened.pixels.size) > 0
            opened.pixels.resize((8, 8))
    assert 0 < refused < 250


# Too large -----------------------------------------------------------------------------------


def test_header_that_claims_fifty_thousand_squared_pixels_is_refused() -> None:
    with pytest.raises(ImageError, match=r"50,000 x 50,000 pixels; at most 120 million"):
        open_image(png(50_000, 50_000, 8, 2, b""))


def test_cap_on_pixels_is_exact(picture: Picture) -> None:
    data = picture("PNG", size=(40, 25))
    assert open_image(data, Limits(10**6, 1000)).size == (40, 25)
    with pytest.raises(ImageError, match="EMOVIZ_MAX_MEGAPIXELS"):
        open_image(data, Limits(10**6, 999))


def test_cap_on_bytes_is_exact_for_bytes_and_for_files(picture: Picture, tmp_path: Path) -> None:
    data = picture("PNG")
    path = tmp_path / "a.png"
    path.write_bytes(data)
    assert open_image(data, Limits(len(data), 10**6)).size == (96, 64)
    assert read_file(path, Limits(len(data), 10**6)) == data
    tight = Limits(len(data) - 1, 10**6)
    with pytest.raises(ImageError, match="EMOVIZ_MAX_FILE_MB"):
        open_image(data, tight)
    with pytest.raises(ImageError, match="EMOVIZ_MAX_FILE_MB"):
        read_file(path, tight)


def test_large_file_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as stream:
        stream.truncate(50 * 10**9)  # sparse: takes no room
    with pytest.raises(ImageError, match="50,000 MB; at most 200 MB"):
        read_file(path, Limits())


def test_bomb_of_few_bytes_costs_no_memory() -> None:
    """A real PNG of 20,000 x 20,000 grey pixels in about 400 KB is refused unpacked."""
    code = """
import resource, struct, sys, zlib
from emoviz.data.images import Limits, open_image
from emoviz.errors import ImageError
packer = zlib.compressobj(9)
rows = b"".join(packer.compress(bytes(20001 * 100)) for _ in range(200)) + packer.flush()
def chunk(kind, body):
    crc = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + crc
header = struct.pack(">IIBBBBB", 20000, 20000, 8, 0, 0, 0, 0)
data = b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows)
data += chunk(b"IEND", b"")
assert len(data) < 1_000_000
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    open_image(data, Limits())
except ImageError as error:
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{after - before}|{error}")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    kilobytes, reason = done.stdout.strip().split("|")
    assert "20,000 x 20,000" in reason
    assert int(kilobytes) < 30_000


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_text_bomb_in_a_png_costs_only_the_text(kind: bytes) -> None:
    packed = zlib.compress(bytes(80_000_000), 9)
    front = b"note\x00\x01\x00\x00\x00" if kind == b"iTXt" else b"note\x00\x00"
    data = with_chunk(png(4, 4, 8, 0, bytes(20)), png_chunk(kind, front + packed))
    tracemalloc.start()
    try:
        opened = open_image(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert opened.size == (4, 4)
    assert peak < 60_000_000


def test_sixteen_bit_image_at_the_cap_is_unpacked_in_bounded_memory() -> None:
    """Eight bytes a pixel and a few arrays of that would be gigabytes at 120 million pixels."""
    code = """
import io, resource, sys
import numpy as np
from PIL import Image
from emoviz.data.images import Limits, open_image
values = np.zeros((4000, 4000), np.uint16)
buffer = io.BytesIO()
Image.fromarray(values).save(buffer, "PNG", compress_level=1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
open_image(buffer.getvalue(), Limits())
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / values.size)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 16  # bytes a pixel


# Several frames ------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_used_and_said(fmt: str) -> None:
    colours = ((200, 30, 30), (30, 200, 30), (30, 30, 200))
    frames = [Image.new("RGB", (20, 10), colour) for colour in colours]
    save = {"lossless": True} if fmt == "WEBP" else {}
    data = encode(frames[0], fmt, save_all=True, append_images=frames[1:], duration=50, **save)
    opened = open_image(data)
    assert np.abs(pixels(opened).astype(int) - colours[0]).max() <= 4
    assert opened.notes == ("animated: its first frame is used",)


def test_of_several_tiff_pages_the_first_is_used_and_said() -> None:
    pages = [Image.new("L", (8, 8), value) for value in (10, 200)]
    opened = open_image(encode(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    assert pixels(opened)[0, 0].tolist() == [10, 10, 10]
    assert len(opened.notes) == 1


# Colours -------------------------------------------------------------------------------------


def without_adobe_marker(jpeg: bytes) -> bytes:
    start = jpeg.index(b"\xff\xee")
    assert jpeg[start + 4 : start + 9] == b"Adobe"
    (length,) = struct.unpack(">H", jpeg[start + 2 : start + 4])
    return jpeg[:start] + jpeg[start + 2 + length :]


@pytest.mark.parametrize("marker", [True, False])
def test_cmyk_jpeg_shows_its_true_colours(marker: bool) -> None:
    """Inks are stored inverted with Adobe's marker, and browsers read them so without it too."""
    inks = {  # cyan, magenta, yellow, black -> red, green, blue
        (255, 0, 0, 0): (0, 255, 255),
        (0, 255, 255, 0): (255, 0, 0),
        (0, 0, 0, 0): (255, 255, 255),
        (0, 0, 0, 255): (0, 0, 0),
        (0, 0, 128, 64): (191, 191, 95),
    }
    for ink, wanted in inks.items():
        data = encode(Image.new("CMYK", (32, 32), ink), "JPEG", quality=95)
        opened = open_image(data if marker else without_adobe_marker(data))
        assert np.abs(pixels(opened).astype(int) - wanted).max() <= 6, ink


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    values = np.linspace(0, 65535, 64 * 64).reshape(64, 64).round().astype(np.uint16)
    wanted = np.round(values / 257).astype(np.uint8)
    for fmt in ("PNG", "TIFF"):
        out = pixels(open_image(encode(Image.fromarray(values), fmt)))
        np.testing.assert_array_equal(out, np.repeat(wanted[..., None], 3, axis=2))


def test_big_endian_sixteen_bit_tiff_is_scaled_alike() -> None:
    values = np.linspace(0, 65535, 256).reshape(16, 16).round().astype(np.uint16)
    image = Image.frombytes("I;16B", (16, 16), values.astype(">u2").tobytes())
    out = pixels(open_image(encode(image, "TIFF")))[..., 0]
    np.testing.assert_array_equal(out, np.round(values / 257).astype(np.uint8))


def test_dark_sixteen_bit_image_stays_dark() -> None:
    out = pixels(open_image(encode(Image.fromarray(np.full((4, 4), 200, np.uint16)))))
    assert out.max() == 1


def test_sixteen_bit_rgb_keeps_its_tones() -> None:
    rows = b"".join(b"\x00" + struct.pack(">3H", 65535, 32768, v) * 4 for v in (0, 1000, 60000))
    out = pixels(open_image(png(4, 3, 16, 2, rows)))
    wanted = [[255, 128, 0], [255, 128, 4], [255, 128, 233]]
    assert np.abs(out[:, 0].astype(int) - wanted).max() <= 1


def test_sixteen_bit_grey_with_alpha_lies_on_white() -> None:
    row = b"\x00" + struct.pack(">4H", 0, 65535, 0, 0)  # black opaque, black transparent
    assert pixels(open_image(png(2, 1, 16, 4, row)))[0].tolist() == [[0] * 3, [255] * 3]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([0.0, 0.25, 1.0, np.nan], [0, 64, 255, 0]),
        ([0.0, 100.0, 255.0, -5.0], [0, 100, 255, 0]),
        ([0.0, 500.0, 1000.0, 250.0], [0, 128, 255, 64]),
    ],
)
def test_float_tiff_is_brought_to_eight_bits(values: list[float], wanted: list[int]) -> None:
    image = Image.fromarray(np.array(values, np.float32).reshape(2, 2))
    out = pixels(open_image(encode(image, "TIFF")))[..., 0].ravel().tolist()
    assert out == pytest.approx(wanted, abs=1)


def test_infinite_values_do_not_break_a_float_tiff() -> None:
    image = Image.fromarray(np.array([[0.5, np.inf], [-np.inf, 1.0]], np.float32))
    out = pixels(open_image(encode(image, "TIFF")))[..., 0]
    assert out.tolist() == [[128, 255], [0, 255]]


def test_thirty_two_bit_integers_are_scaled() -> None:
    image = Image.fromarray(np.array([[0, 2_000_000], [1_000_000, 500_000]], np.int32))
    out = pixels(open_image(encode(image, "TIFF")))[..., 0].ravel().tolist()
    assert out == pytest.approx([0, 255, 128, 64], abs=1)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_lies_on_white(mode: str) -> None:
    colour = (200, 40, 40, 255) if mode == "RGBA" else (60, 255)
    opaque = list(colour[:-1]) if mode == "RGBA" else [60, 60, 60]
    image = Image.new(mode, (3, 1), colour)
    image.putpixel((1, 0), (*colour[:-1], 0))
    image.putpixel((2, 0), (*colour[:-1], 128))
    out = pixels(open_image(encode(image)))[0].astype(int)
    assert out[0].tolist() == opaque
    assert out[1].tolist() == [255, 255, 255]
    half = [round(c * 128 / 255 + 255 * 127 / 255) for c in opaque]
    assert np.abs(out[2] - half).max() <= 1


@pytest.mark.parametrize("fmt", ["PNG", "GIF"])
def test_transparent_palette_entry_lies_on_white(fmt: str) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 250, 0, 0])
    image.putpixel((1, 0), 1)
    out = pixels(open_image(encode(image, fmt, transparency=1)))
    assert out[0].tolist() == [[10, 20, 30], [255, 255, 255]]


def test_transparent_colour_of_a_plain_png_lies_on_white() -> None:
    image = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    out = pixels(open_image(encode(image, transparency=(4, 5, 6))))
    assert out[0].tolist() == [[1, 2, 3], [255, 255, 255]]


def swapped_profile() -> bytes:
    """sRGB's profile with the red and green colorants exchanged: no eye mistakes the result."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack(">I", profile[128:132])
    places = {profile[132 + 12 * i : 136 + 12 * i].decode(): 136 + 12 * i for i in range(count)}
    red, green = places["rXYZ"], places["gXYZ"]
    profile[red : red + 8], profile[green : green + 8] = (
        profile[green : green + 8],
        profile[red : red + 8],
    )
    at = struct.unpack(">I", profile[places["desc"] : places["desc"] + 4])[0]
    size = struct.unpack(">I", profile[places["desc"] + 4 : places["desc"] + 8])[0]
    name = profile[at : at + size].replace("sRGB".encode("utf-16-be"), "Swap".encode("utf-16-be"))
    profile[at : at + size] = name.replace(b"sRGB", b"Swap")
    return bytes(profile)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colour_profile_is_followed(mode: str) -> None:
    profile = swapped_profile()
    image = Image.new(mode, (4, 4), (250, 10, 10, 255)[: len(mode)])
    out = pixels(open_image(encode(image, icc_profile=profile)))[0, 0]
    assert np.abs(out.astype(int) - (10, 250, 10)).max() <= 12


def test_profile_of_srgb_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8))
    out = pixels(open_image(encode(image, icc_profile=profile)))
    np.testing.assert_array_equal(out, np.asarray(image))


@pytest.mark.parametrize("profile", [b"garbage", b"\x00" * 200, swapped_profile()[:300]])
def test_broken_profile_costs_nothing_but_the_profile(profile: bytes) -> None:
    image = Image.new("RGB", (4, 4), (250, 10, 20))
    assert pixels(open_image(encode(image, icc_profile=profile)))[0, 0].tolist() == [250, 10, 20]


def test_profile_for_another_number_of_channels_is_left_aside() -> None:
    image = Image.new("L", (4, 4), 90)
    out = pixels(open_image(encode(image, icc_profile=swapped_profile())))
    assert out[0, 0].tolist() == [90, 90, 90]


# Upright -------------------------------------------------------------------------------------

CORNERS = np.array([[10, 80], [150, 220]], np.uint8)  # top left, top right; bottom left, right
# How a viewer must turn what is stored, EXIF 2.3, tag 0x0112, as array operations.
TURN = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].T,
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", TURN)
@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(fmt: str, orientation: int) -> None:
    stored = np.kron(CORNERS, np.ones((16, 32), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    save = {"lossless": True} if fmt == "WEBP" else {"quality": 100} if fmt == "JPEG" else {}
    opened = open_image(encode(Image.fromarray(stored), fmt, exif=exif, **save))
    wanted = TURN[orientation](stored)
    assert opened.size == opened.pixels.size == wanted.shape[::-1]
    tolerance = 3 if fmt == "JPEG" else 0
    assert np.abs(pixels(opened)[..., 0].astype(int) - wanted).max() <= tolerance


def test_drafted_jpeg_is_upright_and_says_its_true_size() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.kron(CORNERS, np.ones((400, 800), np.uint8)))
    opened = open_image(encode(stored, "JPEG", exif=exif), short_side=100)
    assert opened.size == (800, 1600)
    assert opened.pixels.size == (100, 200)
    corners = pixels(opened)[[[5, 5], [-5, -5]], [[5, -5], [5, -5]], 0].astype(int)
    assert np.abs(corners - np.rot90(CORNERS, -1)).max() <= 4


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_impossible_orientation_turns_nothing(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.new("RGB", (30, 20), (1, 2, 3))
    assert open_image(encode(image, exif=exif)).size == (30, 20)


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_does_not_cost_the_picture(fmt: str) -> None:
    image = Image.new("RGB", (30, 20), (100, 120, 140))
    for block in (b"Exif\x00\x00garbage", b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b"MM\x00*" * 3):
        opened = open_image(encode(image, fmt, exif=block))
        assert opened.size == opened.pixels.size == (30, 20)


# Drafts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1600, 1200), (1201, 401), (399, 2000), (450, 449), (100, 80)])
@pytest.mark.parametrize("short_side", [1, 100, 224, 400, 5000])
def test_draft_never_falls_below_the_short_side(
    picture: Picture, size: tuple[int, int], short_side: int
) -> None:
    opened = open_image(picture(size=size), short_side=short_side)
    assert opened.size == size
    assert min(opened.pixels.size) >= min(short_side, *size)


def test_draft_is_used_where_it_saves_work(picture: Picture) -> None:
    opened = open_image(picture(size=(1600, 1200)), short_side=300)
    assert opened.pixels.size == (400, 300)


# Files ---------------------------------------------------------------------------------------


def test_missing_file_directory_and_dangling_link_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        read_file(tmp_path / "none.jpg", Limits())
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(ImageError, match="not an ordinary file"):
        read_file(tmp_path / "folder.jpg", Limits())
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "gone.jpg")
    with pytest.raises(ImageError, match="no such file"):
        read_file(tmp_path / "dangling.jpg", Limits())
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    with pytest.raises(ImageError, match="cannot be read"):
        read_file(tmp_path / "loop.jpg", Limits())


def test_link_to_a_file_is_followed(picture: Picture, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(picture())
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    assert read_file(tmp_path / "link.jpg", Limits()) == picture()


@pytest.mark.parametrize("name", ["a\x00b.jpg", "x" * 5000 + ".jpg", "a.jpg/b.jpg"])
def test_impossible_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(ImageError):
        read_file(tmp_path / name, Limits())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="not an ordinary file"):
        read_file(tmp_path / "pipe.jpg", Limits())


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="this system has no file modes")
def test_file_without_permission_is_refused(picture: Picture, tmp_path: Path) -> None:
    """In a process of its own: root, as in a container, would be let through."""
    (tmp_path / "secret.jpg").write_bytes(picture())
    (tmp_path / "secret.jpg").chmod(0)
    tmp_path.chmod(0o755)
    code = """
import os
from pathlib import Path
from emoviz.data.images import Limits, read_file
from emoviz.errors import ImageError
if os.getuid() == 0:
    os.setuid(65534)
try:
    read_file(Path("secret.jpg"), Limits())
except ImageError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "it cannot be read: Permission denied"


# Thumbnails ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "wanted"), [((800, 400), (120, 60)), ((50, 20), (50, 20))])
def test_thumbnail_is_a_jpeg_that_keeps_the_shape_and_enlarges_nothing(
    size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    image = Image.new("RGB", size, (90, 140, 200))
    small = Image.open(io.BytesIO(thumbnail(image, side=120)))
    assert (small.format, small.size, image.size) == ("JPEG", wanted, size)
    assert np.abs(np.asarray(small).astype(int) - (90, 140, 200)).max() <= 4


def test_thumbnail_of_a_thread_is_possible() -> None:
    assert len(thumbnail(Image.new("RGB", (10_000, 1)), side=100)) > 100
