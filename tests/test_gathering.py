"""Bringing collections in: once, politely, resumable, with a reason for each that is missing."""

import csv
import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from digests import digest
from local_server import LocalServer, local_server
from museum import PAINTINGS, furnish

from emoviz.data.dataset import UNLABELLED
from emoviz.data.fetch import FetchCaps, Fetcher
from emoviz.data.reading import open_dataset
from emoviz.errors import FetchError, ImageError, TableError
from emoviz.inference.cache import Thumbnails
from emoviz.labels import WIKIART20
from emoviz.review.acquire import (
    AcquireRequest,
    gather,
    guess_kind,
    list_damaged,
    read_gathered,
)
from emoviz.review.images import read_work
from emoviz.review.model import Work
from emoviz.settings import Settings

Picture = Callable[..., bytes]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, allow_private_urls=True, fetch_pause=0.001)


def quiet(done: int, total: int) -> None:
    """Nobody watches."""


def test_a_iiif_collection_comes_in_at_the_size_needed(
    settings: Settings, server: LocalServer, picture: Picture
) -> None:
    address = furnish(server, picture)
    steps: list[tuple[int, int]] = []
    found = gather(
        AcquireRequest("museum", address, "iiif", side=800),
        settings,
        lambda a, b: steps.append((a, b)),
    )
    assert [item.title for item, _ in found.ready] == [title for _, title, _, _ in PAINTINGS]
    assert [item.date for item, _ in found.ready] == ["1905", "1831", "1884"]
    assert (found.failed, found.waiting, found.stopped) == ([], 0, "")
    assert steps[-1] == (3, 3)
    for item, state in found.ready:
        data = Path(state.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == state.sha256 == Path(state.file).stem
        assert f"/{item.canvas.rpartition('/')[2]}" in "".join(server.paths())
    with Thumbnails(settings) as kept:
        assert len(kept.known(state.sha256 for _, state in found.ready)) == 3
    images = [path for path in server.paths() if path.startswith("/image")]
    assert images == [f"/image/{name}/full/800,/0/default.jpg" for name, *_ in PAINTINGS]


def test_a_second_run_asks_for_nothing_and_one_that_looks_again_asks_for_changes(
    settings: Settings, server: LocalServer, picture: Picture
) -> None:
    address = furnish(server, picture)
    request = AcquireRequest("museum", address, "iiif", side=800)
    gather(request, settings, quiet)
    server.asked.clear()
    gather(request, settings, quiet)
    assert server.asked == []
    server.answers["/wave.json"] = (404, {}, b"")
    found = gather(request, settings, quiet, again=True)
    assert len([path for path in server.paths() if path.endswith(".json")]) == 4
    assert not [path for path in server.paths() if path.startswith("/image")]
    assert [item.title for item in found.items] == [PAINTINGS[0][1], PAINTINGS[2][1]]
    assert "404" in found.problems[0].reason


def test_one_bad_image_costs_no_other_and_is_tried_again(
    settings: Settings, server: LocalServer, picture: Picture
) -> None:
    address = furnish(server, picture)
    good = server.answers.pop("/image/wave/full/800,/0/default.jpg")
    server.answers["/wave.jpg"] = (200, {"Content-Type": "image/jpeg"}, b"<!DOCTYPE html><p>gone")
    request = AcquireRequest("museum", address, "iiif", side=800)
    found = gather(request, settings, quiet)
    assert len(found.ready) == 2
    assert [(item.title, state.error) for item, state in found.failed] == [
        ("Great Wave", "there is nothing at that address (status 404)")
    ]
    assert [path for path in server.paths() if "wave" in path] == [
        "/wave.json",
        "/image/wave/full/800,/0/default.jpg",
        "/image/wave/info.json",
        "/wave.jpg",
    ]
    server.answers["/image/wave/full/800,/0/default.jpg"] = good
    server.asked.clear()
    again = gather(request, settings, quiet)
    assert (len(again.ready), again.failed) == (3, [])
    assert server.paths() == ["/image/wave/full/800,/0/default.jpg"]


def test_an_image_behind_a_login_is_asked_for_once(
    settings: Settings, server: LocalServer, picture: Picture
) -> None:
    address = furnish(server, picture)
    server.answers["/image/wave/full/800,/0/default.jpg"] = (401, {}, b"who are you?")
    found = gather(AcquireRequest("museum", address, "iiif", side=800), settings, quiet)
    ((item, state),) = found.failed
    assert (item.title, state.error) == (
        "Great Wave",
        "the server asks for a password (status 401)",
    )
    assert [path for path in server.paths() if "wave" in path][1:] == [
        "/image/wave/full/800,/0/default.jpg"
    ]


def test_a_manifest_in_the_code_page_of_windows_is_read(
    settings: Settings, server: LocalServer, picture: Picture
) -> None:
    furnish(server, picture)
    status, headers, body = server.answers["/night.json"]  # type: ignore[misc]
    label = json.dumps("The <b>Night</b>").encode()
    assert label in body
    wrong = body.replace(label, '"Potter’s Nächte"'.encode("cp1252"))
    server.answers["/night.json"] = (status, headers, wrong)
    request = AcquireRequest("night", f"{server.address}/night.json", "iiif", side=800)
    found = gather(request, settings, quiet)
    assert [item.title for item, _ in found.ready] == ["Potter’s Nächte"]


def test_pages_instead_of_images_and_endless_bodies_are_told(
    settings: Settings, server: LocalServer, tmp_path: Path, picture: Picture
) -> None:
    small = replace(settings, max_file_mb=0.1)
    server.answers |= {
        "/page.jpg": (200, {"Content-Type": "image/jpeg"}, b"<html>Not found</html>"),
        "/huge.jpg": (200, {}, b"\xff\xd8" + bytes(500_000)),
        "/good.jpg": (200, {}, picture()),
        "/again.jpg": (200, {}, picture()),
        "/away.jpg": (302, {"Location": "file:///etc/passwd"}, b""),
    }
    table = tmp_path / "works.csv"
    rows = [f"{server.address}/{name}.jpg" for name in ("page", "huge", "good", "again", "away")]
    table.write_text("\n".join(["url", *rows, rows[2]]))
    found = gather(AcquireRequest("urls", str(table), "table"), small, quiet)
    told = {item.title: state.error for item, state in found.failed}
    assert "a web page" in told["page"]
    assert "MB" in told["huge"]
    assert "only http" in told["away"]
    (_, one), (_, other) = found.ready
    assert one.sha256 == other.sha256
    assert one.file == other.file
    assert found.problems[0].reason.startswith("the source names it twice")


def test_a_server_that_is_gone_leaves_the_rest_for_later(
    settings: Settings, tmp_path: Path
) -> None:
    table = tmp_path / "works.csv"
    with local_server() as gone:
        address = gone.address
    table.write_text("\n".join(["url", *(f"{address}/{i}.jpg" for i in range(40))]))
    quick = Fetcher(True, 0.0, FetchCaps(attempts=1))
    found = gather(AcquireRequest("urls", str(table), "table"), settings, quiet, fetcher=quick)
    assert "5 times in a row" in found.stopped
    assert found.waiting == 36
    assert read_gathered(settings, "urls").stopped == found.stopped


def test_private_addresses_are_refused_one_by_one(
    settings: Settings, server: LocalServer, tmp_path: Path, picture: Picture
) -> None:
    closed = replace(settings, allow_private_urls=False)
    table = tmp_path / "works.csv"
    (tmp_path / "local.jpg").write_bytes(picture())
    rows = [*(f"{server.address}/{i}.jpg" for i in range(7)), "local.jpg"]
    table.write_text("\n".join(["file", *rows]))
    found = gather(AcquireRequest("urls", str(table), "table"), closed, quiet)
    assert len(found.failed) == 7
    assert "EMOVIZ_ALLOW_PRIVATE_URLS" in found.failed[0][1].error
    assert [state.file for _, state in found.ready] == [str(tmp_path / "local.jpg")]
    assert server.asked == []
    with pytest.raises(FetchError, match="private network"):
        gather(AcquireRequest("m", f"{server.address}/m.json", "iiif"), closed, quiet)


def test_files_stay_where_they_are_and_members_of_a_zip_are_kept(
    settings: Settings, tmp_path: Path, picture: Picture
) -> None:
    folder = tmp_path / "paintings"
    folder.mkdir()
    for seed, name in enumerate(("a.jpg", "b.jpg")):
        (folder / name).write_bytes(picture(seed=seed))
    (folder / "broken.jpg").write_bytes(b"broken")
    found = gather(AcquireRequest("local", str(folder), "folder"), settings, quiet)
    assert [state.file for _, state in found.ready] == [str(folder / n) for n in ("a.jpg", "b.jpg")]
    assert [item.key for item, _ in found.failed] == ["broken.jpg"]
    assert not (settings.home / "collections" / "local" / "images").exists()
    archive = tmp_path / "p.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        stream.write(folder / "a.jpg", "hall/a.jpg")
        stream.writestr("../climb.jpg", picture())
    zipped = gather(AcquireRequest("zipped", str(archive), "zip"), settings, quiet)
    ((_, state),) = zipped.ready
    assert digest(Path(state.file)) == digest(folder / "a.jpg")
    assert "leads out of the ZIP" in zipped.problems[0].reason
    archive.unlink()
    again = gather(AcquireRequest("zipped", str(archive), "zip"), settings, quiet)
    assert len(again.ready) == 1


def test_half_a_line_of_a_killed_process_costs_one_image(
    settings: Settings, tmp_path: Path, picture: Picture
) -> None:
    folder = tmp_path / "paintings"
    folder.mkdir()
    for seed in range(3):
        (folder / f"{seed}.jpg").write_bytes(picture(seed=seed))
    request = AcquireRequest("local", str(folder), "folder")
    gather(request, settings, quiet)
    states = settings.home / "collections" / "local" / "states.jsonl"
    states.write_bytes(states.read_bytes()[:-30])
    assert read_gathered(settings, "local").waiting == 1
    found = gather(request, settings, quiet)
    assert (len(found.ready), found.waiting, found.problems) == (3, 0, ())
    assert all(json.loads(line) for line in states.read_text().splitlines())


def test_the_table_is_one_that_embed_takes(
    settings: Settings, server: LocalServer, picture: Picture
) -> None:
    address = furnish(server, picture)
    found = gather(AcquireRequest("museum", address, "iiif", side=800), settings, quiet)
    table = settings.home / "collections" / "museum" / "works.csv"
    collection = open_dataset(table, settings)
    files = [str(collection.root / name) for name in collection.names]
    assert files == [state.file for _, state in found.ready]
    assert collection.metadata["artist"] == [artist for _, _, artist, _ in PAINTINGS]
    assert collection.metadata["collection"][0] == "A small museum"
    assert collection.metadata["title"][2] == "'=Garden()"  # no spreadsheet takes it for a formula
    assert collection.taxonomy is UNLABELLED


def test_votes_of_the_source_are_in_the_table(settings: Settings, tmp_path: Path) -> None:
    from test_importers import wikiart_table

    images = tmp_path / "images"
    images.mkdir()
    from PIL import Image

    Image.new("RGB", (40, 30), "navy").save(images / "id1.jpg")
    table = wikiart_table(
        tmp_path / "all.tsv",
        [{"ID": "id1", "Artist": "A", "Title": "T", "ImageOnly: fear": "0.6"}, {"ID": "id2"}],
    )
    assert guess_kind(str(table)) == "wikiart-emotions"
    request = AcquireRequest("wae", str(table), "wikiart-emotions", images=str(images))
    found = gather(request, settings, quiet)
    assert len(found.ready) == 1
    collection = open_dataset(settings.home / "collections" / "wae" / "works.csv", settings)
    assert (collection.taxonomy, collection.labels) == (WIKIART20, ["fear"])
    with pytest.raises(TableError, match="made from"):
        gather(AcquireRequest("wae", str(images), "folder"), settings, quiet)


def test_what_lies_at_a_source_is_seen(tmp_path: Path) -> None:
    for name in ("a.zip", "a.csv", "a.json", "a.xlsx"):
        (tmp_path / name).write_text("PK" if name == "a.xlsx" else "x")
    assert guess_kind("https://museum.example/manifest") == "iiif"
    assert guess_kind("sample") == "sample"
    assert guess_kind(str(tmp_path)) == "folder"
    kinds = [guess_kind(str(tmp_path / name)) for name in ("a.zip", "a.csv", "a.json")]
    assert kinds == ["zip", "table", "iiif"]
    for bad in ("a.xlsx", "gone", "x" * 5000):
        with pytest.raises(TableError):
            guess_kind(str(tmp_path / bad))


@pytest.mark.parametrize("name", ["", "../up", "A", "a/b", "x" * 65, ".hidden", "-x", "ä"])
def test_names_that_are_no_folder_of_ours_are_refused(settings: Settings, name: str) -> None:
    with pytest.raises(TableError, match="cannot be a collection's name"):
        gather(AcquireRequest(name, "sample", "sample"), settings, quiet)


@pytest.mark.parametrize("content", ["{", "[]", "<!doctype html><p>x", '{"type": "Manifest"}', "5"])
def test_a_manifest_that_is_none_leaves_nothing_behind(
    settings: Settings, tmp_path: Path, server: LocalServer, content: str
) -> None:
    file = tmp_path / "m.json"
    file.write_text(content)
    server.answers["/m"] = (200, {}, content.encode())
    for source in (str(file), f"{server.address}/m"):
        with pytest.raises((TableError, FetchError)):
            gather(AcquireRequest("m", source, "iiif"), settings, quiet)
    assert read_gathered(settings, "m").request is None


def test_a_manifest_that_names_files_of_this_machine_reads_none(
    settings: Settings, server: LocalServer, tmp_path: Path, picture: Picture
) -> None:
    (tmp_path / "secret.jpg").write_bytes(picture())
    secret = tmp_path / "secret.json"
    body = {"id": f"{server.address}/good.jpg", "type": "Image"}
    canvas = {"type": "Canvas", "items": [{"items": [{"body": body}]}]}
    secret.write_text(json.dumps({"type": "Manifest", "id": "x", "items": [canvas]}))
    server.answers["/good.jpg"] = (200, {}, picture())
    bad = [
        {"id": str(tmp_path / "secret.jpg"), "type": "Image"},
        {"id": f"file://{tmp_path}/secret.jpg", "type": "Image"},
        {"type": "Image", "service": [{"id": str(tmp_path), "type": "ImageService3"}]},
        body,
    ]
    canvases = [
        {"id": f"c{i}", "type": "Canvas", "items": [{"items": [{"body": one}]}]}
        for i, one in enumerate(bad)
    ]
    manifest = {"type": "Manifest", "id": "http://m", "items": canvases}
    members = [manifest, {"id": str(secret), "type": "Manifest"}, {"id": f"file://{secret}"}]
    collection = json.dumps({"type": "Collection", "items": members})
    server.answers["/c"] = (200, {}, collection.encode())
    (tmp_path / "c.json").write_text(collection)
    for name, source in (("far", f"{server.address}/c"), ("near", str(tmp_path / "c.json"))):
        found = gather(AcquireRequest(name, source, "iiif"), settings, quiet)
        assert [item.key for item, _ in found.ready] == ["http://m#c3"]
        assert len(found.failed) == 3
        assert len(found.problems) == 2
        # A path is one of the server that named it; nothing of this machine is opened.
        reasons = [state.error for _, state in found.failed]
        assert all("only http" in reason or "no host 'm'" in reason for reason in reasons)


def test_the_image_of_a_work_is_read_wherever_it_is(
    settings: Settings, tmp_path: Path, picture: Picture
) -> None:
    data = picture()
    (tmp_path / "a.jpg").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as stream:
        stream.writestr("in/a.jpg", data)
    work = Work(1, 1, 0, "k", file=str(tmp_path / "a.jpg"))
    assert read_work(work, settings) == data
    inside = replace(work, file=str(tmp_path / "a.zip"), inside="in/a.jpg")
    assert read_work(inside, settings) == data
    for bad in (
        *(replace(work, file=""), replace(inside, inside="gone.jpg")),
        *(replace(work, file=str(tmp_path / "x")), replace(inside, file=str(tmp_path / "x"))),
    ):
        with pytest.raises(ImageError):
            read_work(bad, settings)


def test_the_cells_of_the_table_are_read_by_csv(
    settings: Settings, tmp_path: Path, picture: Picture
) -> None:
    (tmp_path / "a.jpg").write_bytes(picture())
    table = tmp_path / "in.csv"
    table.write_text('file,title,path,Label\na.jpg,"<script>alert(1)</script>",x,awe\n')
    gather(AcquireRequest("odd", str(table), "table"), settings, quiet)
    with (settings.home / "collections" / "odd" / "works.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["title"] == "<script>alert(1)</script>"
    assert (row["label"], row["about path"]) == ("awe", "x")
    assert os.path.isabs(row["file"])  # noqa: PTH117


def test_a_folder_that_holds_nothing_yet_is_not_called_damaged(settings: Settings) -> None:
    """What a process leaves that is ended before it wrote a word."""
    folder = settings.home / "collections" / "begun"
    folder.mkdir(parents=True)
    assert not list_damaged(settings)
    (folder / "items.jsonl").write_text("{}\n")
    assert "'begun' cannot be used" in list_damaged(settings)[0]
