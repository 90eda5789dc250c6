"""What-if edits: each does what it says and nothing else."""

import colorsys
import io

import numpy as np
import pytest
from PIL import Image

from emoviz.data.edits import Edit, edit_image, to_png


@pytest.fixture
def image() -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    return Image.fromarray(values)


def array(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(float)


def test_no_edit_gives_the_same_pixels(image: Image.Image) -> None:
    assert Edit().changes_nothing
    assert np.array_equal(array(edit_image(image, Edit())), array(image))


def test_grey_is_luma_in_all_three_channels(image: Image.Image) -> None:
    grey = array(edit_image(image, Edit(colour=0.0)))
    luma = array(image) @ (0.299, 0.587, 0.114)
    for channel in range(3):
        assert np.abs(grey[..., channel] - luma).max() <= 1


@pytest.mark.parametrize(("turn", "wanted"), [(120, (0, 255, 0)), (-120, (0, 0, 255))])
def test_the_hue_turns_round_the_circle(turn: int, wanted: tuple[int, int, int]) -> None:
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    turned = array(edit_image(red, Edit(hue=turn)))[0, 0]
    assert np.abs(turned - wanted).max() <= 6


def test_the_hue_is_colorsys_and_greys_stay(image: Image.Image) -> None:
    turned = array(edit_image(image, Edit(hue=90)))
    for row, column in ((0, 0), (5, 7), (20, 30)):
        h, s, v = colorsys.rgb_to_hsv(*(array(image)[row, column] / 255))
        wanted = 255 * np.array(colorsys.hsv_to_rgb((h + 0.25) % 1, s, v))
        assert np.abs(turned[row, column] - wanted).max() <= 8
    flat = Image.new("RGB", (4, 4), (90, 90, 90))
    assert np.array_equal(array(edit_image(flat, Edit(hue=70))), array(flat))


def test_brightness_is_a_factor(image: Image.Image) -> None:
    half = array(edit_image(image, Edit(brightness=0.5)))
    assert np.abs(half - array(image) / 2).max() <= 1
    assert array(edit_image(image, Edit(brightness=2.0))).max() == 255


def test_blur_is_a_share_of_the_short_side() -> None:
    image = Image.new("RGB", (200, 100))
    image.putpixel((100, 50), (255, 255, 255))
    line = array(edit_image(image, Edit(blur=0.02)))[50, :, 0]
    places = np.arange(200) - 100
    deviation = np.sqrt((line * places**2).sum() / line.sum())
    assert deviation == pytest.approx(2.0, abs=0.6)


def test_the_given_image_is_left_alone_and_files_keep_every_pixel(image: Image.Image) -> None:
    before = array(image)
    edited = edit_image(image, Edit(40, 0.5, 1.2, 0.03))
    assert np.array_equal(array(image), before)
    assert edited.size == image.size
    with Image.open(io.BytesIO(to_png(edited))) as again:
        assert np.array_equal(array(again), array(edited))
