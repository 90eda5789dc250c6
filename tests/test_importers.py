"""Folders, ZIPs, tables of addresses and WikiArt Emotions as items and problems."""

import csv
import os
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from emoviz.data.importers import Found, Item, Problem
from emoviz.data.importers.artworks import read_artworks
from emoviz.data.importers.wikiart_emotions import (
    GROUP,
    read_wikiart_emotions,
    sentiment_group,
)
from emoviz.errors import TableError
from emoviz.labels import WIKIART20
from emoviz.settings import Settings

SETTINGS = Settings()


def parted(found: Iterable[Found]) -> tuple[list[Item], list[Problem]]:
    rows = list(found)
    items = [row for row in rows if isinstance(row, Item)]
    return items, [row for row in rows if isinstance(row, Problem)]


# Folders and ZIPs --------------------------------------------------------------------------------


def test_a_folder_whose_names_hold_artist_title_and_year(
    tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    names = [
        "Post_Impressionism/vincent-van-gogh_starry-night-1889.jpg",
        "Ukiyo_e/katsushika-hokusai_great-wave(2).jpg",
        "other.jpg",
        "Ukiyo_e/hiroshige_ashida-1832(1).jpg",
        "Ukiyo_e/m-k-ciurlionis_jura.jpg",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(picture())
    (tmp_path / "notes.txt").write_text("no image")
    items, problems = parted(read_artworks(tmp_path, SETTINGS))
    assert problems == [("notes.txt", "it is no image by its name (.txt)")]
    by_key = {item.key: item for item in items}
    assert by_key.keys() == set(names)
    night = by_key[names[0]]
    assert (night.artist, night.title, night.date) == ("Vincent Van Gogh", "Starry night", "1889")
    assert night.style == "Post Impressionism"
    assert (by_key[names[1]].title, by_key[names[1]].date) == ("Great wave", "")
    assert (by_key[names[3]].title, by_key[names[3]].date) == ("Ashida", "1832")
    assert (by_key["other.jpg"].title, by_key["other.jpg"].artist) == ("Other", "")
    assert night.place.path == str(tmp_path / names[0])


def test_names_of_another_kind_are_left_as_they_are(
    tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    for name in ("photo_1.jpg", "IMG_2024.jpg", "scan_of_page.jpg"):
        (tmp_path / name).write_bytes(picture())
    items, _ = parted(read_artworks(tmp_path, SETTINGS))
    assert [(item.artist, item.title) for item in items] == [
        *(("", "IMG 2024"), ("", "Photo 1"), ("", "Scan of page"))
    ]


def test_an_empty_folder_and_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="holds no image"):
        list(read_artworks(tmp_path, SETTINGS))
    for missing in (tmp_path / "gone", Path("x" * 5000)):
        with pytest.raises(TableError, match="There is no"):
            list(read_artworks(missing, SETTINGS))


def test_a_zip_with_traps_gives_what_is_good(tmp_path: Path, picture: Callable[..., bytes]) -> None:
    path = tmp_path / "museum.zip"
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("hall/night.jpg", picture())
        archive.writestr("../../climbs.jpg", picture())
        archive.writestr("/root.jpg", picture())
        archive.writestr(link, "/etc/passwd")
        archive.writestr("bomb.png", bytes(30_000_000))
        archive.writestr("readme.txt", "no image")
    items, problems = parted(read_artworks(path, SETTINGS))
    assert [(item.key, item.title, item.style) for item in items] == [
        ("hall/night.jpg", "Night", "hall")
    ]
    assert (items[0].place.path, items[0].place.inside) == (str(path), "hall/night.jpg")
    assert {item.key for item in problems} == {
        *("../../climbs.jpg", "/root.jpg", "link.jpg", "bomb.png", "readme.txt")
    }
    for content, words in {
        b"PK broken": "not a ZIP",
        path.read_bytes(): "EMOVIZ_MAX_ARCHIVE_MB",
    }.items():
        bad = tmp_path / "bad.zip"
        bad.write_bytes(content)
        with pytest.raises(TableError, match=words):
            list(read_artworks(bad, Settings(max_archive_mb=0.001)))


# Tables ------------------------------------------------------------------------------------------


def test_a_table_of_paths_and_addresses(tmp_path: Path) -> None:
    table = tmp_path / "works.csv"
    table.write_text(
        "id,Image,Title,Artist,Year,Room,emotion,p_awe,p_fear\n"
        "1,a/b.jpg,Night,M. K. Čiurlionis,1905,3,awe,0.7,0.3\n"
        "2,https://museum.example/x/y.jpg?size=1,,,,,,,\n"
        "3,,Lost,,,,,,\n"
        "4,c.jpg,,,,,,half,\n",
        encoding="utf-8",
    )
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.jpg").touch()
    items, problems = parted(read_artworks(table, SETTINGS))
    assert [item.key for item in items] == ["1", "2"]
    first, second = items
    assert first.place.path == str(tmp_path / "a" / "b.jpg")
    assert (first.title, first.artist, first.date) == ("Night", "M. K. Čiurlionis", "1905")
    assert (first.label, first.answer) == ("awe", "awe")
    assert first.metadata == {"Room": "3", "p_awe": "0.7", "p_fear": "0.3"}
    assert second.place.url == "https://museum.example/x/y.jpg?size=1"
    assert second.title == "y"
    assert [item.key for item in problems] == ["line 4", "line 5"]


def test_a_table_that_was_sent_names_no_files_of_this_machine(tmp_path: Path) -> None:
    table = tmp_path / "works.csv"
    table.write_text("url\n/etc/passwd\nfile:///etc/passwd\nhttps://a.example/b.jpg\n")
    items, problems = parted(read_artworks(table, SETTINGS, sent=True))
    assert [item.place.url for item in items] == ["https://a.example/b.jpg"]
    assert len(problems) == 2


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"", b"\x00\x01\x02", b'file\n"\n' * 9])
def test_what_is_no_table_of_images_is_told(tmp_path: Path, content: bytes) -> None:
    table = tmp_path / "bad.csv"
    table.write_bytes(content)
    with pytest.raises(TableError):
        list(read_artworks(table, SETTINGS))


# WikiArt Emotions --------------------------------------------------------------------------------


def wikiart_table(path: Path, rows: list[dict[str, str]]) -> Path:
    """As the published one: tabs, no quoting, HTML entities."""
    kinds = ("Art (image+title)", "ImageOnly", "TitleOnly")
    votes = [f"{kind}: {name}" for kind in kinds for name in WIKIART20.names]
    head = ["ID", "Style", "Category", "Artist", "Title", "Year", "Image URL", *votes]
    lines = ["\t".join(head)]
    lines += ["\t".join(row.get(name, "0" if ":" in name else "") for name in head) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_wikiart_emotions_are_matched_by_id_address_or_artist_and_title(
    tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    url = "https://uploads.wikiart.org/images"
    rows = [
        {"ID": "id1", "Artist": "A", "Title": "By id"},
        {
            "ID": "id2",
            "Artist": "B",
            "Title": "x",
            "Image URL": f"{url}/b-b/the-slug-1889.jpg!Large",
        },
        {"ID": "id3", "Artist": "Čiurlionis", "Title": "J&#363;ra &quot;I&quot;", "Year": "1905"},
        {"ID": "id4", "Artist": "D", "Title": "Twice"},
        {"ID": "id5", "Artist": "E", "Title": "Missing"},
        {"ID": "id6", "Artist": "Čiurlionis", "Title": "Jura I", "Year": "1905"},
        {"ID": "id7", "Artist": "F", "Title": "Bad", "ImageOnly: fear": "many"},
    ]
    rows[0] |= {"ImageOnly: sadness": "0.5", "ImageOnly: fear": "0.3", "TitleOnly: trust": "1"}
    table = wikiart_table(tmp_path / "all.tsv", rows)
    images = tmp_path / "images"
    files = [
        *("id1.jpg", "style/b-b_the-slug-1889.jpg", "ciurlionis_jura-i-1905.jpg"),
        *("d_twice.jpg", "again/D - Twice.png", "nobody_knows.jpg", "f_bad.jpg"),
    ]
    for name in files:
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        (images / name).write_bytes(picture())
    items, problems = parted(read_wikiart_emotions(table, images))
    assert [(item.key, Path(item.place.path).name) for item in items] == [
        *(
            ("id1", "id1.jpg"),
            ("id2", "b-b_the-slug-1889.jpg"),
            ("id3", "ciurlionis_jura-i-1905.jpg"),
        )
    ]
    assert items[2].title == 'Jūra "I"'
    assert (items[0].shares["sadness"], items[0].shares["trust"]) == (0.5, 0.0)
    assert items[0].metadata[GROUP] == "negative"
    told = {item.key: item.reason for item in problems}
    assert "several images" in told["D: Twice (id4)"]
    assert "no image" in told["E: Missing (id5)"]
    assert "id3 already" in told["Čiurlionis: Jura I (id6)"]
    assert "fear" in told["id7"]
    assert {key for key in told if "/" in key or key.endswith(".jpg")} == {
        *("again/D - Twice.png", "d_twice.jpg", "nobody_knows.jpg")
    }


def test_without_a_folder_the_addresses_are_taken_and_other_votes_on_request(
    tmp_path: Path,
) -> None:
    row = {"ID": "1", "Image URL": "https://a.example/x.jpg", "TitleOnly: trust": "1"}
    table = wikiart_table(tmp_path / "all.tsv", [row])
    (item,), _ = parted(read_wikiart_emotions(table, voters="title"))
    assert (item.place.url, item.shares["trust"]) == ("https://a.example/x.jpg", 1.0)
    with pytest.raises(TableError, match="no votes on 'all'"):
        list(read_wikiart_emotions(table, voters="all"))
    with pytest.raises(TableError, match="no folder of images"):
        list(read_wikiart_emotions(table, tmp_path / "gone"))


def test_another_table_is_told(tmp_path: Path) -> None:
    other = tmp_path / "other.tsv"
    with other.open("w") as stream:
        csv.writer(stream, delimiter="\t").writerows([["ID", "Artist"], ["1", "A"]])
    with pytest.raises(TableError, match="not the table of WikiArt Emotions"):
        list(read_wikiart_emotions(other))


def test_groups_of_emotions_by_hand() -> None:
    assert sentiment_group({"happiness": 0.4, "trust": 0.2, "sadness": 0.5}) == "positive"
    assert sentiment_group({"surprise": 0.9, "fear": 0.5, "anger": 0.3}) == "other or mixed"
    assert sentiment_group({"surprise": 0.7, "fear": 0.5, "anger": 0.3}) == "negative"
    assert sentiment_group({}) == ""


def test_a_name_that_is_no_text_does_not_stop_the_others(
    tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    odd = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    try:
        with open(odd, "wb") as stream:  # noqa: PTH123 - bytes that no Path holds
            stream.write(picture())
    except OSError:
        pytest.skip("this file system takes only text")
    (tmp_path / "good.jpg").write_bytes(picture())
    items, _ = parted(read_artworks(tmp_path, SETTINGS))
    assert len(items) == 2
