"""The Python side of the map: what is sent, what is refused, what a selection means."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from emoviz.errors import EmovizError
from emoviz.ui.map import Category, Colouring, MapMark, Panel, Pin
from emoviz.ui.map import component as component_module
from emoviz.ui.map.model import NONE, checked_codes, checked_count
from emoviz.ui.map.payload import HALF, LEVELS, MISSING, Packet, pack_map, quantise

BUNDLE = Path(component_module.__file__).parent / "bundle"
RED, BLUE = Category("red", "#ff0000"), Category("blue", "#0000ff")


def colouring(codes: list[int]) -> Colouring:
    return Colouring("colour", (RED, BLUE), np.array(codes))


def packed(
    points: list[NDArray[Any]], codes: NDArray[np.uint8], **more: Any
) -> tuple[dict[str, Any], bytes]:
    """Header and data of a payload, read back as the browser reads them."""
    panels = tuple(Panel(f"panel {k}", item, **more) for k, item in enumerate(points))
    grids = tuple(quantise(item.points) for item in panels)
    legend = Colouring("colour", (RED, BLUE), codes)
    data, _ = pack_map("key", 400, panels, grids, legend, codes, None)
    length = int.from_bytes(data[:4], "little")
    assert (4 + length) % 4 == 0
    return json.loads(data[4 : 4 + length]), data[4 + length :]


# Positions -------------------------------------------------------------------------------------


def test_quantised_positions_are_within_half_a_step() -> None:
    points = np.random.default_rng(0).normal(5, 3, (1000, 3)).astype(np.float32)
    grid = quantise(points)
    back = grid.to_units(grid.centred)
    assert np.abs(back - points).max() <= grid.span / LEVELS / 2 * 1.0001
    assert (grid.axes.min(), grid.axes.max()) == (0, LEVELS)


def test_one_unit_is_as_long_in_every_direction() -> None:
    grid = quantise(np.array([[0.0, 0.0], [10.0, 1.0]]))
    wide, tall = np.ptp(grid.centred, axis=0)
    assert (wide, tall) == (LEVELS, pytest.approx(LEVELS / 10, abs=1))


def test_missing_positions_stay_missing() -> None:
    grid = quantise(np.array([[0.0, 0.0], [np.nan, 1.0], [np.inf, 0.0], [2.0, 2.0]]))
    assert grid.present.tolist() == [True, False, False, True]
    assert (grid.axes[:, 1] == MISSING).all()
    assert np.isnan(grid.centred[[1, 2]]).all()


@pytest.mark.parametrize(
    "points", [np.empty((0, 2)), np.ones((1, 2)), np.full((5, 3), 7.0), np.full((4, 2), np.nan)]
)
def test_degenerate_positions_are_no_error(points: NDArray[np.float64]) -> None:
    grid = quantise(points)
    assert grid.axes.shape == points.shape[::-1]
    assert (grid.centred[grid.present] == 0).all()


# Bytes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dimensions", "most"), [(2, 9.2), (3, 13.2)])
def test_two_panels_stay_below_sixteen_bytes_a_point(dimensions: int, most: float) -> None:
    random = np.random.default_rng(0)
    points = [random.normal(size=(20_000, dimensions)) for _ in range(2)]
    codes = np.zeros(20_000, dtype=np.uint8)
    panels = tuple(Panel("p", item) for item in points)
    grids = tuple(quantise(item) for item in points)
    flags = random.random(20_000) < 0.5
    data, _ = pack_map("k", 1, panels, grids, colouring([0] * 20_000), codes, flags)
    assert len(data) / 20_000 < most


def test_the_payload_says_what_went_in() -> None:
    points = np.array([[0.0, 0.0], [1.0, 2.0], [np.nan, 0.0]])
    marks = (MapMark("center", (0.5, 1.0), "#123456"),)
    header, data = packed([points], np.array([0, 1, NONE], np.uint8), marks=marks)
    x = np.frombuffer(data, "<u2", 3, header["panels"][0]["axes"][0])
    y = np.frombuffer(data, "<u2", 3, header["panels"][0]["axes"][1])
    assert x.tolist() == [HALF - LEVELS // 4, HALF + LEVELS // 4 + 1, MISSING]
    assert y.tolist() == [0, LEVELS, MISSING]
    assert np.frombuffer(data, np.uint8, 3, header["codes"]).tolist() == [0, 1, 255]
    assert header["panels"][0]["marks"] == [
        {"label": "center", "colour": "#123456", "at": [0.0, 0.0]}
    ]


def test_pictures_of_pins_are_inside() -> None:
    pins = (Pin("a", (0.0, 0.0), b"jpeg-a"), Pin("b", (1.0, 1.0), b"jpeg-bb"))
    header, data = packed([np.array([[0.0, 0.0]])], np.zeros(1, np.uint8), pins=pins)
    found = [
        data[pin["offset"] : pin["offset"] + pin["size"]] for pin in header["panels"][0]["pins"]
    ]
    assert found == [b"jpeg-a", b"jpeg-bb"]


def test_equal_content_gives_equal_bytes_and_a_change_another_digest() -> None:
    points = np.random.default_rng(0).normal(size=(50, 2))
    codes = np.zeros(50, np.uint8)
    first, again = packed([points], codes), packed([points.copy()], codes.copy())
    assert first == again
    recoloured = packed([points], np.ones(50, np.uint8))[0]
    assert recoloured["digest"] != first[0]["digest"]
    assert recoloured["geometry"] == first[0]["geometry"]
    moved = packed([points + np.eye(50, 2)], codes)[0]
    assert moved["geometry"] != first[0]["geometry"]
    pinned = packed([points], codes, pins=(Pin("a", (0.0, 0.0), b"x"),))[0]
    assert pinned["digest"] != first[0]["digest"]
    assert pinned["geometry"] == first[0]["geometry"]


def test_parts_begin_at_multiples_of_four() -> None:
    packet = Packet()
    assert [packet.add(b"a" * size) for size in (3, 4, 5, 1)] == [0, 4, 8, 16]


# Colours ---------------------------------------------------------------------------------------


def test_values_become_steps_of_the_scale() -> None:
    values = np.array([-1, 0, 0.5, 1, 9, np.nan], dtype=np.float32)
    assert checked_codes(Colouring("v", values=values)).tolist() == [0, 0, 127, 254, 254, NONE]
    same = Colouring("v", values=np.array([3.0, 3.0], np.float32), low=3, high=3)
    assert checked_codes(same).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Colouring("c"), "neither"),
        (Colouring("c", (RED,), np.zeros(1, np.uint8), np.zeros(1, np.float32)), "both"),
        (colouring([0, 2]), "the code 2, but only 2 categories"),
        (colouring([-1]), "the code -1"),
        (Colouring("c", (RED, RED), np.zeros(1, np.uint8)), "1 of them different"),
        (Colouring("c", values=np.zeros(1, np.float32), low=1, high=0), "no direction"),
        (Colouring("c", values=np.zeros(1, np.float32), low=float("nan")), "no direction"),
    ],
)
def test_impossible_colourings_are_refused(wrong: Colouring, words: str) -> None:
    with pytest.raises(EmovizError, match=words):
        checked_codes(wrong)


# What fits together ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("panels", "words"),
    [
        ((), "not 0"),
        ((Panel("a", np.ones((2, 2))),) * 3, "not 3"),
        ((Panel("a", np.ones((2, 4))),), r"\(2, 4\)"),
        ((Panel("a", np.ones(2)),), r"\(2,\)"),
        ((Panel("a", np.ones((2, 2))), Panel("b", np.ones((3, 2)))), "panel 'b' has 3"),
        ((Panel("a", np.ones((3, 2))),), "the colouring has 2"),
        ((Panel("a", np.ones((2, 2)), (MapMark("m", (1, 2, 3), "#000000"),)),), "2 coordinates"),
        ((Panel("a", np.ones((2, 3)), (), (Pin("p", (1, 2), b""),)),), "3 coordinates"),
        ((Panel("a", np.ones((2, 2)), (MapMark("m", (1, np.nan), "#000000"),)),), "finite"),
    ],
)
def test_parts_that_do_not_fit_are_refused(panels: tuple[Panel, ...], words: str) -> None:
    with pytest.raises(EmovizError, match=words):
        checked_count(panels, {"the colouring": 2})


def test_a_selection_among_other_points_is_forgotten() -> None:
    region = {"panel": 0, "polygon": [0, 0, 1, 0, 1, 1]}
    state = {"hidden": ["awe"], "region": region, "clicked": 7, "count": 9, "geometry": "old"}
    assert component_module._valid(state, 9, "old") == {
        "hidden": ["awe"],
        "region": region,
        "clicked": 7,
    }
    other = component_module._valid(state, 5, "new")
    assert other == {"hidden": ["awe"], "region": None, "clicked": None}
    assert component_module._valid(None, 5, "new") is None


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ([7, 3, 7, True, -1, 9, "1", 2.0, [1], None], [7, 3]),
        (list(range(9)) * 20, list(range(9))),
        (4, []),
        (None, []),
    ],
)
def test_cards_are_of_images_that_are_there(asked: object, wanted: list[int]) -> None:
    assert component_module._wanted(asked, 9) == wanted


def test_a_browser_asks_for_no_more_cards_than_are_brought() -> None:
    most = len(component_module._wanted(list(range(200)), 200))
    thumbs = Path(__file__).parent.parent / "frontend" / "map" / "src" / "thumbs.js"
    assert f"const MOST = {most};" in thumbs.read_text(encoding="utf-8")


def event_of(points: NDArray[Any], region: dict[str, Any] | None, hidden: list[str]) -> Any:
    codes = np.array([0, 1, 0, NONE], np.uint8)
    state = {"hidden": hidden, "region": region, "clicked": None}
    legend = Colouring("c", (RED, BLUE), codes, none="no label")
    return component_module._event(state, (quantise(points),), codes, legend)


def test_a_polygon_selects_by_the_quantised_positions() -> None:
    points = np.array([[0.0, 0.0], [1.0, 1.0], [10.0, 10.0], [2.0, 2.0]])
    grids = (quantise(points),)
    region = component_module._region_of(grids, [(-1, -1), (5, -1), (5, 5), (-1, 5)], 0, None)
    event = event_of(points, region, [])
    assert event.selected.tolist() == [0, 1, 3]
    np.testing.assert_allclose(event.polygon, [(-1, -1), (5, -1), (5, 5), (-1, 5)], atol=2e-4)
    assert event_of(points, region, ["blue"]).selected.tolist() == [0, 3]
    assert event_of(points, region, ["no label"]).selected.tolist() == [0, 1]
    assert event_of(points, None, ["blue"]).selected is None


def test_a_polygon_in_three_dimensions_brings_its_rotation() -> None:
    points = np.array([[0, 0, -5], [1, 1, 5], [10, 10, 0], [2, 2, 0]], dtype=float)
    grids = (quantise(points),)
    from_above = [1.0, 0, 0, 0, 0, 1.0]  # x to the right, z up
    corners = [(-6, 3), (-1, 3), (-1, 7), (-6, 7)]  # from the middle, (5, 5, 0)
    region = component_module._region_of(grids, corners, 0, from_above)
    event = event_of(points, region, [])
    assert event.selected.tolist() == [1]
    np.testing.assert_allclose(event.polygon, corners, atol=2e-4)
    assert event.rotation == tuple(from_above)


@pytest.mark.parametrize(
    ("polygon", "panel", "rotation"),
    [
        (None, 0, None),
        ([(0, 0), (1, 1), (1, 0)], 1, None),
        ([(0, 0), (1, 1), (1, 0)], -1, None),
        ([(0, 0, 0)], 0, None),
        ([(0, float("nan")), (1, 1), (1, 0)], 0, None),
        ([(0, 0), (1, 1), (1, 0)], 0, [1, 0, 0, 0, 1, 0]),
    ],
)
def test_a_link_that_does_not_fit_selects_nothing(polygon: Any, panel: int, rotation: Any) -> None:
    grids = (quantise(np.random.default_rng(0).normal(size=(9, 2))),)
    assert component_module._region_of(grids, polygon, panel, rotation) is None


# What the browser loads ------------------------------------------------------------------------


def test_the_bundle_names_no_address_outside() -> None:
    for name in ("map.js", "courier.js", "map.css"):
        text = (BUNDLE / name).read_text(encoding="utf-8")
        assert "@import" not in text
        assert "url(" not in text
        for scheme in ("http://", "https://"):
            places = [part[:40] for part in text.split(scheme)[1:]]
            # Part of a message; nothing that is fetched.
            assert all(place.startswith("get.webgl.org") for place in places)


def test_every_package_in_the_bundle_has_its_notice() -> None:
    notices = (BUNDLE / "THIRD_PARTY_LICENSES.txt").read_text(encoding="utf-8")
    frontend = Path(__file__).parent.parent / "frontend" / "map"
    lock = json.loads((frontend / "package-lock.json").read_text(encoding="utf-8"))
    shipped = [
        f"{path.rpartition('node_modules/')[2]} {item['version']} ("
        for path, item in lock["packages"].items()
        if path and not item.get("dev")
    ]
    assert len(shipped) > 8
    assert [line for line in [*shipped, "KDBush"] if line not in notices] == []
