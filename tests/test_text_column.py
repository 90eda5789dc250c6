"""Columns of text that stay in Arrow: the same answers as a tuple gives."""

import numpy as np
import pyarrow as pa
import pytest

from emoviz.inference import text_column
from emoviz.inference.text_column import (
    TextColumn,
    coded,
    counted_texts,
    rows_with,
    taken,
    varies,
)

TEXTS = ("Sea", "a storm", "", "Straße", "ÉTÉ", "stormstorm", "sea", "ab", "ba", "Sea")
COLUMNS = {
    "plain": TextColumn(pa.array(TEXTS)),
    "coded": TextColumn(pa.array(TEXTS).dictionary_encode()),
    "sliced": TextColumn(pa.array(("x", *TEXTS, "y")).slice(1, len(TEXTS))),
    "tuple": TEXTS,
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
@pytest.mark.parametrize("most", [0, 50_000])
def test_search_finds_what_a_loop_finds(
    column: TextColumn, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_column, "_MOST_HITS", most)
    for word in ("sea", "STORM", "s", "été", "strasse", "aba", "nowhere", "ms", "orms"):
        wanted = [word.casefold() in text.casefold() for text in TEXTS]
        assert rows_with((column,), (word,)).tolist() == wanted, word
    two = [("s" in t.casefold()) and ("m" in t.casefold()) for t in TEXTS]
    assert rows_with((column,), ("s", "m")).tolist() == two


def test_each_word_may_stand_in_another_column_and_few_rows_are_left() -> None:
    rng = np.random.default_rng(0)
    columns = [
        [f"{rng.integers(30)} of {rng.integers(4)}" for _ in range(400)],
        [f"artist{rng.integers(5)}" for _ in range(400)],
    ]
    arrow = [TextColumn(pa.array(columns[0])), TextColumn(pa.array(columns[1]).dictionary_encode())]
    words = ("artist3", "29", "OF")
    wanted = [
        all(word.casefold() in f"{a} {b}" for word in words) for a, b in zip(*columns, strict=True)
    ]
    assert any(wanted)
    assert rows_with(arrow, words).tolist() == wanted == rows_with(columns, words).tolist()


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_a_column_is_a_sequence_of_texts(column: TextColumn) -> None:
    assert column == TEXTS
    assert list(column) == list(TEXTS)
    assert (column[1], column[-1], column[2:4]) == ("a storm", "Sea", ("", "Straße"))
    assert column.index("sea") == 6
    assert "ÉTÉ" in column
    assert "x" not in column
    with pytest.raises(ValueError, match="x"):
        column.index("x")
    assert taken(column, np.array([4, 0])) == ("ÉTÉ", "Sea")
    codes, names = coded(column)
    assert [names[code] for code in codes] == list(TEXTS)
    assert counted_texts(column)["Sea"] == 2
    assert varies(column)
    assert not varies(taken(column, np.array([0, 9])))
