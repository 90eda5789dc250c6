"""Files made to do harm, brought to pages in a browser: the others come out, the session lives."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

if TYPE_CHECKING:
    from visitors import Visitor

Make = Callable[..., bytes]


@pytest.fixture(scope="module")
def hostile() -> dict[str, bytes]:
    """Name -> bytes; each once cost all others or minutes."""
    noise = np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG", progressive=True)
    whole = buffer.getvalue()
    last = whole.rindex(b"\xff\xda")
    return {
        "wide.png": _png(119_000_000, 1),
        "tall.png": _png(1, 119_000_000),
        "scans.jpg": whole[:last] + whole[last:-2] * 5000 + b"\xff\xd9",
        "comment.ppm": b"P6\n#" + b"x" * 20_000_000,
    }


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packed = zlib.compress(bytes((width + 1) * height), 1)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.fixture
def mixed(hostile: dict[str, bytes], picture: Make) -> Iterator[list[tuple[str, bytes]]]:
    """Six images with the hostile ones between them."""
    good = [(f"{i}.jpg", picture(seed=i)) for i in range(6)]
    return [*good[:2], *hostile.items(), *good[2:]]


def test_dropped_on_classify_they_cost_themselves_alone(
    visitor: "Visitor", mixed: list[tuple[str, bytes]], hostile: dict[str, bytes], picture: Make
) -> None:
    visitor.open("?checkpoint=tiny")
    visitor.drop(mixed)
    visitor.page.get_by_role("heading", name="6 images, 4 refused").wait_for()
    visitor.settle()
    refused = [row.split("\n") for row in visitor.page.locator(".ev-refused li").all_inner_texts()]
    assert {row[0] for row in refused} == set(hostile)
    assert all(len(row[-1]) > 10 for row in refused)
    visitor.drop([("afterwards.jpg", picture(seed=9))])
    visitor.page.get_by_role("heading", name="7 images, 4 refused").wait_for()


def test_in_a_collection_the_others_come_in(
    visitor: "Visitor", mixed: list[tuple[str, bytes]], tmp_path: Path, served_home: Path
) -> None:
    for name, data in mixed:
        (tmp_path / name).write_bytes(data)
    (tmp_path / "wide.csv").write_text(",".join(f"c{i}" for i in range(200_000)) + "\n")
    page = visitor.page
    visitor.open_as_manager("collections?checkpoint=tiny", served_home)
    page.get_by_text("On this machine", exact=True).click()
    visitor.settle()
    page.get_by_role("textbox", name="Path").fill(str(tmp_path / "wide.csv"))
    page.get_by_role("button", name="Bring it in").click()
    page.get_by_text("200,000 columns").wait_for()
    page.get_by_role("textbox", name="Path").fill(str(tmp_path))
    page.get_by_role("button", name="Bring it in").click()
    page.get_by_text("10 found: 6 taken, 4 problems").or_(
        page.get_by_text("11 found: 6 taken, 5 problems")
    ).first.wait_for()
    expect(page.get_by_text("This page stopped early")).to_have_count(0)
