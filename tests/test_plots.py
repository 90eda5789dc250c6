"""Small figures: what they say to eyes, to screen readers, and to a browser that is lied to."""

import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from emoviz.labels import MIKELS8
from emoviz.plots import percent, probability_bars, sentiment_bar, shares_strip
from emoviz.plots.bars import Spot, spots_by
from emoviz.plots.centers import distance_heat_map, tree
from emoviz.plots.heat_table import heat_table

RANKED = [("awe", 0.5), ("fear", 0.3), ("anger", 0.2), ("disgust", 0.0)]


class _Balance(HTMLParser):
    """Fails where tags do not close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def assert_well_formed(text: str) -> None:
    parser = _Balance()
    parser.feed(text)
    assert not parser.open


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.001, "<1 %"),
        (0.005, "<1 %"),
        (0.006, "1 %"),
        (0.414, "41 %"),
        (1.0, "100 %"),
    ],
)
def test_percent_never_rounds_a_chance_to_nothing_silently(share: float, text: str) -> None:
    assert percent(share).replace("\N{NO-BREAK SPACE}", " ") == text


def test_bars_say_name_and_number_to_a_screen_reader() -> None:
    text = probability_bars(RANKED, MIKELS8.colours)
    assert_well_formed(text)
    assert text.count('role="meter"') == 4
    assert 'aria-label="awe" aria-valuemin="0" aria-valuemax="100" aria-valuenow="50"' in text
    assert f"width:30.0%;background:{MIKELS8.colours['fear']}" in text


def test_bars_beyond_the_visible_ones_are_marked() -> None:
    text = probability_bars(RANKED, MIKELS8.colours, visible=3)
    assert text.count("ev-rest") == 1


def test_class_names_cannot_write_markup() -> None:
    hostile = '"><script>x</script>'
    for text in (
        probability_bars([(hostile, 1.0)], {hostile: '"onload=x'}),
        shares_strip([(hostile, 2)], {hostile: '"onload=x'}),
    ):
        assert_well_formed(text)
        assert "<script" not in text
        assert '"onload' not in text


def test_sentiment_bar_leaves_out_what_is_absent() -> None:
    text = sentiment_bar({"positive": 0.7, "negative": 0.3, "none": 0.0})
    assert_well_formed(text)
    assert re.sub("\\s", " ", text).count("positive 70 %") == 2
    assert "neither" not in text
    assert "neither" in sentiment_bar({"positive": 0.2, "negative": 0.3, "none": 0.5})


def test_a_taxonomy_without_sentiment_has_no_sentiment_bar() -> None:
    assert sentiment_bar({"positive": 0.0, "negative": 0.0, "none": 1.0}) == ""


def test_strip_counts_images_and_leaves_zeros_out() -> None:
    text = shares_strip([("awe", 3), ("fear", 1), ("anger", 0)], MIKELS8.colours)
    assert_well_formed(text)
    assert 'aria-label="Most likely emotion: awe 3, fear 1"' in text
    assert "flex:0.7500 0 0" in text
    assert "anger" not in text
    assert shares_strip([("awe", 0)], MIKELS8.colours) == ""


def test_a_matrix_of_distances_frames_what_falls_short_and_stays_text() -> None:
    distances = np.array([[0.0, 1.0, 3.0], [1.0, 0.0, np.nan], [3.0, np.nan, 0.0]])
    drawn = distance_heat_map(distances, ["<b>a</b>", "b", "c"], 1.0, 3.0, "T", margin=2.0)
    body = drawn.partition("<tbody>")[2]
    cells = re.findall(r">([\d.]*)</td>", body)
    assert cells == ["", "1.00", "3.00", "1.00", "", "", "3.00", "", ""]
    assert drawn.count('class="ev-short"') == 2
    assert 'title="&lt;b&gt;a&lt;/b&gt; – b: 1.000"' in drawn
    assert "<b>" not in drawn
    assert_well_formed(drawn)
    # the ends of Cividis, light ink on the dark one
    assert "background:rgb(0 34 78);color:#fff" in drawn
    assert "background:rgb(254 232 56);color:#000" in drawn


def test_a_tree_draws_each_joint_at_its_height() -> None:
    # leaves 0 and 1 join at 1, both with leaf 2 at 4
    brackets = [([0, 0, 1, 1], [0, 1, 1, 0]), ([0.5, 0.5, 2, 2], [1, 4, 4, 0])]
    drawn = tree(brackets, ["awe", "fear", "<i>"], {"awe": "#112233"}, "T")
    joints = re.findall(r'<b title="join at ([\d.]+)" style="left:([\d.]+)%', drawn)
    assert joints == [("1.000", "25.00"), ("4.000", "100.00")]
    assert "left:25.00%;width:75.00%" in drawn
    assert "they join at 1.00, 4.00" in drawn
    assert "&lt;i&gt;" in drawn


def test_every_number_of_a_heat_table_can_be_read() -> None:
    values = np.linspace(0.0, 1.0, 400)[None]
    html = heat_table(values, ["a"], ["b"] * 400, 0.0, 1.0, lambda row, column: "")
    cells = re.findall(r"background:rgb\((\d+) (\d+) (\d+)\);color:#(f|0)", html)
    assert len(cells) == 400

    def light(*channels: str) -> float:  # relative luminance, WCAG 2.2
        shares = [int(channel) / 255 for channel in channels]
        red, green, blue = (
            s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for *ground, ink in cells:
        ends = sorted([light(*ground), 1.0 if ink == "f" else 0.0])
        assert (ends[1] + 0.05) / (ends[0] + 0.05) >= 4.5


def test_spots_stand_where_their_numbers_are_and_are_told_in_words() -> None:
    rows = [
        Spot("<b>a</b>", 2.0, -2.0, 4.0, colour="#123456"),
        Spot("far", 8.0, math.nan, math.nan, "too few"),
        Spot("none", math.nan, math.nan, math.nan),
    ]
    drawn = spots_by(rows, "points", 0.0, "+.1f")
    minus = "\N{MINUS SIGN}"
    said = re.findall(r'aria-label="([^"]*)"', drawn)
    first = f"+2.0, from {minus}2.0 to +4.0"
    assert said == ["points, compared with +0.0", first, "+8.0; too few", "\N{EN DASH}"]
    # Names are text of a list's items, which no role takes from the list.
    assert drawn.count("<li ") == 3 == drawn.count('class="ev-range" role="img"')
    assert 'title="far: +8.0; too few"><span class="ev-what">far</span>' in drawn
    assert "<b>" not in drawn
    assert_well_formed(drawn)
    # From -2 to 8, with room of .4 at both ends: 10.8 in all.
    places = re.findall(r'class="ev-(\w+)" style="left:([\d.]+)%', drawn)
    wanted = {"zero": 2.4 / 10.8, "whisker": 0.4 / 10.8}
    for name, place in places:
        assert name == "spot" or float(place) == pytest.approx(100 * wanted[name], abs=0.01)
    spots = [float(place) for name, place in places if name == "spot"]
    assert spots == pytest.approx([100 * 4.4 / 10.8, 100 * 10.4 / 10.8], abs=0.01)
    assert len(places) == 3 + 1 + 2
    assert "right:calc(100% - 59.26%)" in drawn


def test_spots_of_one_value_or_none_are_drawn_too() -> None:
    assert "left:50.00%;background" in spots_by([Spot("a", 0.5, math.nan, math.nan)], "x", None)
    assert 'ev-spot"' not in spots_by([Spot("a", math.nan, math.nan, math.nan)], "x", None)
