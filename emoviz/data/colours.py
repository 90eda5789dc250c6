"""Pixels of any kind to 8-bit sRGB: profiles, gamma, ink, transparency, sixteen bits."""

import io
import struct
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_STRIP = 1 << 20  # samples that are converted at once: floats take eight bytes each
_SRGB = ImageCms.createProfile("sRGB")
_SAME = 3  # levels of 255 within which a profile is sRGB: rounding, short tables
_LAYERED = ("RGBA", "LA", "PA", "La", "RGBa")

# x, y of white, red, green and blue (ITU-T H.273, which numbers them as PNG, HEIC and AVIF do).
_SRGB_POINTS = (0.3127, 0.3290, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
_POINTS = {
    1: _SRGB_POINTS,
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # cinema P3
    12: (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # Display P3
}
# Television's own curves are left out: photographs that name one hold sRGB and are shown so.
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
_USUAL_GAMMA = 0.45455  # what a PNG that means sRGB gives as its gamma
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D50 = np.array([0.9642, 1.0, 0.8249])  # the white of every ICC profile


def to_srgb(image: Image.Image, alpha: Image.Image | None = None) -> Image.Image:
    """A loaded image of any mode as RGB, opaque, in sRGB; what is transparent lies on white.

    `alpha` (mode L) stands beside an image whose mode has no place for it.

    An embedded colour profile is followed, else what the file says of gamma and primaries. One
    that cannot be read, or is for other channels than the image has, is left aside.
    """
    profile = image.info.get("icc_profile") or described_profile(image)
    if image.mode.startswith(("I", "F")):
        image, profile = _eight_bit(image, profile)
    if image.mode in _LAYERED or "transparency" in image.info:
        layer = image.convert("RGBA")
        if not profile:
            return _on_white(layer)
        alpha = layer.getchannel("A")
    if profile and image.mode not in ("CMYK", "LAB"):
        image = image.convert("L" if image.mode in ("1", "L", "LA", "La") else "RGB")
    colours = _in_srgb(image, profile)
    if alpha is None:
        return colours
    colours.putalpha(alpha)
    return _on_white(colours)


def described_profile(image: Image.Image) -> bytes | None:
    """A profile made of what a file without one says of its colours; None where that is nothing.

    A PNG's cHRM and gAMA, or the numbers of H.273 in HEIC and AVIF.
    """
    info = image.info
    grey = image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I;16")
    if isinstance(numbers := info.get("nclx_profile"), dict):
        points = _POINTS.get(int(numbers.get("color_primaries", 1)), _SRGB_POINTS)
        gamma = _GAMMAS.get(int(numbers.get("transfer_characteristics", 13)))
    elif "srgb" in info:
        return None
    else:
        points = tuple(info.get("chromaticity") or _SRGB_POINTS)
        written = float(info.get("gamma") or _USUAL_GAMMA)
        usual = abs(written / _USUAL_GAMMA - 1) < 0.05 or not 0.05 < written < 20
        gamma = None if usual else 1 / written
    if gamma is None and (grey or points == _SRGB_POINTS):
        return None
    return made_profile(points, gamma, grey)


@lru_cache(maxsize=16)
def made_profile(
    points: tuple[float, ...], gamma: float | None = None, grey: bool = False
) -> bytes | None:
    """An ICC profile of primaries and a curve (ICC.1:2001-04).

    Args:
        points: x, y of white, red, green and blue.
        gamma: The exponent that decodes; None takes sRGB's curve.
        grey: For one channel, where the primaries say nothing.

    Returns:
        The profile; None where the primaries are impossible.
    """
    steps = np.linspace(0, 1, 4096)
    light = np.where(steps <= 0.04045, steps / 12.92, ((steps + 0.055) / 1.055) ** 2.4)
    values = np.round(65535 * (light if gamma is None else steps**gamma)).astype(">u2")
    curve = b"curv" + bytes(4) + struct.pack(">I", len(values)) + values.tobytes()
    if grey:
        return _icc(b"GRAY", {b"wtpt": _xyz(_D50), b"kTRC": curve})
    try:
        columns = _primaries(points)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError):
        return None
    tags = {b"wtpt": _xyz(_D50)}
    for name, column in zip((b"r", b"g", b"b"), columns, strict=True):
        tags |= {name + b"XYZ": _xyz(column), name + b"TRC": curve}
    return _icc(b"RGB ", tags)


def eight_bit(
    values: NDArray[Any], top: float, curve: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Samples as bytes, 0 to 0 and `top` to 255, or through a curve of 65,536 steps up to `top`."""
    out = np.empty(values.shape, np.uint8)
    for rows in _strips(values):
        strip = np.nan_to_num(values[rows].astype(np.float64) / top, posinf=1, neginf=0)
        if curve is None:
            out[rows] = np.clip(np.round(strip * 255), 0, 255)
        else:
            out[rows] = curve[np.clip(np.round(strip * 65535), 0, 65535).astype(np.int64)]
    return out


def white_of(values: NDArray[Any], bits: int | None = None) -> float:
    """The sample that is white: the largest of so many bits, or judged where none are given.

    Floating point up to 1 and numbers up to 255 mean what they seem to, and so do whole numbers
    up to 65,535 and those that fill their type; between these the largest is white.
    """
    if bits is not None and bits <= 16:
        return float((1 << bits) - 1)
    top = 0.0
    for rows in _strips(values):
        strip = values[rows]
        top = max(top, float(np.max(strip, where=np.isfinite(strip), initial=0)))
    if values.dtype.kind == "f":
        return 1.0 if top <= 1.0 else max(top, 255.0)
    whole = float(np.iinfo(values.dtype).max)
    if top > whole / 16:
        return whole
    return 65535.0 if 255 < top <= 65535 else max(top, 255.0)


def _strips(values: NDArray[Any]) -> list[slice]:
    """Groups of rows of about `_STRIP` samples."""
    rows = max(_STRIP * len(values) // max(values.size, 1), 1)
    return [slice(start, start + rows) for start in range(0, len(values), rows)]


def _eight_bit(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, bytes | None]:
    """16-bit, 32-bit and floating-point grey as 8 bits, which Pillow would clip.

    A profile of grey is followed on the way, so that shadows keep their steps; what it leaves to
    do is returned.
    """
    values = np.asarray(image)
    white = white_of(values, 16 if image.mode.startswith("I;16") else None)
    curve = None if profile is None else _grey_curve(profile)
    made = Image.fromarray(eight_bit(values, white, curve))
    return made, profile if curve is None else None


def _on_white(layer: Image.Image) -> Image.Image:
    """RGBA on white, in strips: whole copies of a large image would be gigabytes."""
    width, height = layer.size
    flat = Image.new("RGB", layer.size)
    rows = max(_STRIP // width, 1)
    for top in range(0, height, rows):
        box = (0, top, width, min(top + rows, height))
        ground = Image.new("RGBA", (width, box[3] - top), (255, 255, 255, 255))
        ground.alpha_composite(layer.crop(box))
        flat.paste(ground.convert("RGB"), box)
    return flat


@lru_cache(maxsize=16)
def _grey_curve(profile: bytes) -> NDArray[np.uint8] | None:
    """(65536,) sRGB grey for each of sixteen bits in such a profile; None where it is for RGB."""
    transform = _transform(profile, "I;16")
    if transform is None:
        return None
    steps = Image.frombytes("I;16", (256, 256), np.arange(65536, dtype="<u2").tobytes())
    return np.asarray(transform.apply(steps))[..., 1].ravel()


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile is not None and image.mode == "L":
        curve = _grey_curve(profile)
        image = image if curve is None else image.point(curve[::257].tolist())
    elif profile is not None and (transform := _transform(profile, image.mode)) is not None:
        return transform.apply(image)
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile to sRGB; None where it is sRGB, broken, or for other channels."""
    # LittleCMS would put 33 steps between black and white in the place of a curve of grey.
    exact = ImageCms.Flags.NOOPTIMIZE if mode == "I;16" else ImageCms.Flags.NONE
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, _SRGB, mode, "RGB", flags=exact)
        if mode != "RGB":
            return transform
        side = np.linspace(0, 255, 18).round().astype(np.uint8)  # 18 ** 3 colours
        probe = np.stack(np.meshgrid(side, side, side), axis=-1).reshape(18, -1, 3)
        after = np.asarray(transform.apply(Image.fromarray(probe))).astype(int)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return transform if np.abs(after - probe).max() > _SAME else None


def _primaries(points: tuple[float, ...]) -> NDArray[np.float64]:
    """(3, 3) rows: XYZ of red, green and blue, adapted to the profile's white by Bradford."""
    x, y = np.array(points, np.float64).reshape(4, 2).T
    if not (np.isfinite(points).all() and (y > 0).all()):
        raise ValueError("primaries that no colour has")
    colours = np.stack([x / y, np.ones(4), (1 - x - y) / y])  # (XYZ, white and primaries)
    white, primaries = colours[:, 0], colours[:, 1:]
    columns = primaries * np.linalg.solve(primaries, white)
    cones = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
    adapted = np.linalg.solve(_BRADFORD, cones @ _BRADFORD @ columns)
    if not (np.isfinite(adapted).all() and np.abs(adapted).max() < 100):
        raise ValueError("primaries that no colour has")
    return np.asarray(adapted.T)


def _xyz(values: NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * float(v)) for v in values))


def _icc(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    version, white = 0x02100000, struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    head = bytes(8) + struct.pack(">I", version) + b"mntr" + space + b"XYZ " + bytes(12)
    head += b"acsp" + bytes(28) + white
    whole = head.ljust(128, b"\0") + table + body
    return struct.pack(">I", len(whole)) + whole[4:]
