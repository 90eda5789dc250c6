"""A checkpoint out of an address: the same as from a file, and nothing where it is another one."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_server import LocalServer, local_server

from emoviz.checkpoints import Checkpoint
from emoviz.cli import main


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server() as found:
        yield found


@pytest.fixture
def packed(tiny_checkpoint: Checkpoint) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in sorted(tiny_checkpoint.folder.iterdir()):
            if file.is_file():
                archive.write(file, file.name)
    return buffer.getvalue()


def fetch(server: LocalServer, digest: str, *more: str) -> int:
    return main(["checkpoint", "fetch", f"{server.address}/a%20net.zip", "--sha256", digest, *more])


def test_it_is_brought_in_where_it_is_the_file_that_was_vouched_for(
    server: LocalServer,
    packed: bytes,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("EMOVIZ_ALLOW_PRIVATE_URLS", "true")
    server.answers["/a%20net.zip"] = 200, {}, packed
    digest = hashlib.sha256(packed).hexdigest()
    assert fetch(server, digest.upper(), "--id", "fetched") == 0, "nobody said yes"
    assert not (home / "checkpoints" / "fetched").exists()
    assert fetch(server, digest, "--id", "fetched", "--yes") == 0
    assert (home / "checkpoints" / "fetched" / "card.json").is_file()
    assert "Limits:" in capsys.readouterr().out
    asked = len(server.asked)
    for none in ("", "sha256:" + digest, digest[:40]):
        assert fetch(server, none, "--yes") == 2
        assert "64 digits" in capsys.readouterr().err
    assert len(server.asked) == asked, "nothing is fetched for a hash that is none"
    wrong = "0" * 64
    assert fetch(server, wrong, "--id", "other", "--yes") == 2
    told = capsys.readouterr().err
    assert digest in told
    assert "another file" in told
    assert not (home / "checkpoints" / "other").exists()
    server.answers["/a%20net.zip"] = 404, {}, b"no"
    assert fetch(server, digest, "--yes") == 2
    assert "404" in capsys.readouterr().err
    monkeypatch.setenv("EMOVIZ_ALLOW_PRIVATE_URLS", "false")
    assert fetch(server, digest, "--yes") == 2
    assert "private network" in capsys.readouterr().err
