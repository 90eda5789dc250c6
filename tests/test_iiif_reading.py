"""A IIIF address as a Dataset: the same images for every verb, each asked for once."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from local_server import LocalServer, local_server
from museum import furnish

import emoviz
from emoviz.cli import main
from emoviz.data.images import Limits
from emoviz.data.importers.iiif_reading import parsed
from emoviz.data.reading import expand, open_dataset
from emoviz.errors import ImageError, TableError
from emoviz.settings import Settings, load_settings

Picture = Callable[..., bytes]


@pytest.fixture
def museum(picture: Picture) -> Iterator[LocalServer]:
    """Three paintings; the image of the third cannot be had, and a fourth manifest is missing."""
    with local_server() as server:
        furnish(server, picture)
        for name in ("night", "wave"):
            smaller = server.answers[f"/image/{name}/full/800,/0/default.jpg"]
            server.answers[f"/image/{name}/full/1280,/0/default.jpg"] = smaller
        status, headers, body = server.answers["/collection.json"]  # type: ignore[misc]
        document = json.loads(body)
        lost = {"id": f"{server.address}/lost.json", "type": "Manifest", "label": {"en": ["Lost"]}}
        document["items"].append(lost)
        server.answers["/collection.json"] = status, headers, json.dumps(document).encode()
        yield server


@pytest.fixture
def settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("EMOVIZ_ALLOW_PRIVATE_URLS", "true")
    monkeypatch.setenv("EMOVIZ_FETCH_PAUSE", "0.001")
    return load_settings()


def test_an_address_is_a_set_whose_images_are_fetched_once(
    museum: LocalServer, settings: Settings, picture: Picture
) -> None:
    address = f"{museum.address}/collection.json"
    found = open_dataset(address, settings)
    assert found.identity == address
    assert found.metadata["title"] == ["The Night", "Great Wave", "=Garden()"]
    assert "Katsushika Hokusai" in found.metadata["artist"]
    assert [key for key, _ in found.problems] == [f"{museum.address}/lost.json"]
    assert not any(path.startswith("/image") for path in museum.paths())  # not before it is read
    assert found.records[0].read(Limits()) == picture(size=(800, 600), seed=0)
    with pytest.raises(ImageError, match="404"):
        found.records[2].read(Limits())
    asked = len(museum.asked)
    again = open_dataset(address, settings)
    assert again.records[0].read(Limits()) == picture(size=(800, 600), seed=0)
    assert museum.paths()[asked:] == ["/lost.json"]  # what is not here is asked for again


def test_every_verb_says_the_same_of_an_address(
    museum: LocalServer,
    settings: Settings,
    tiny_checkpoint: emoviz.checkpoints.Checkpoint,
    capsys: pytest.CaptureFixture[str],
) -> None:
    address = f"{museum.address}/collection.json"
    sources = expand([address], settings)
    assert len(sources) == 4
    assert main(["embed", address, "--checkpoint", "tiny", "--format", "json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert main(["predict", address, "--checkpoint", "tiny", "--format", "table"]) == 0
    assert "4 found: 2 taken, 2 problems" in capsys.readouterr().out
    assert (values["found"], values["taken"]) == (4, 2)
    assert any("lost.json" in row["what"] for row in values["problems"])
    for verb in (["evaluate", "--data", address], ["data", "examine", address]):
        assert main(verb) == 2
        assert "has no labels, as no address of IIIF has. Bring it in" in capsys.readouterr().err


def test_a_manifest_as_a_file_is_opened_and_what_is_none_is_told(
    museum: LocalServer, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "wave.json"
    file.write_bytes(museum.answers["/wave.json"][2])  # type: ignore[index]
    assert open_dataset(file, settings).metadata["title"] == ["Great Wave"]
    file.write_text("no manifest")
    with pytest.raises(TableError, match="it is no readable JSON, so it is no IIIF manifest"):
        open_dataset(file, settings)
    for bad in (f"{museum.address}/none.json", "http://me:pw@a.example/x"):
        with pytest.raises(TableError, match=r"404|password"):
            open_dataset(bad, settings)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "gzip"])
def test_json_is_read_however_a_museum_wrote_it(encoding: str) -> None:
    text = '{"label": "\u00c9t\u00e9\n"}'  # with a bare end of line
    body = gzip.compress(text.encode()) if encoding == "gzip" else text.encode(encoding)
    assert parsed(body) == {"label": "\u00c9t\u00e9\n"}
