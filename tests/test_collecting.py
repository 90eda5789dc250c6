"""A collection into the review: works, estimates, a killed process, the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from local_server import local_server
from museum import PAINTINGS, furnish

from emoviz.checkpoints import Checkpoint
from emoviz.cli import main
from emoviz.data.importers import Item, Place
from emoviz.inference.stored import read_embeddings
from emoviz.jobs import Reporter
from emoviz.review import Draft, Feeling, open_store
from emoviz.review.acquire import AcquireRequest, Brought
from emoviz.review.ingest import add_collection, new_work
from emoviz.settings import PROJECT_ROOT, Settings
from emoviz.ui.review import desk_text

Picture = Callable[..., bytes]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, allow_private_urls=True, fetch_pause=0.001)


@pytest.fixture
def paintings(tmp_path: Path, picture: Picture) -> Path:
    folder = tmp_path / "paintings"
    folder.mkdir()
    for seed in range(4):
        (folder / f"{seed}.jpg").write_bytes(picture(seed=seed))
    (folder / "broken.jpg").write_bytes(b"broken")
    return folder


def test_works_and_estimates_reach_the_review(
    settings: Settings, tiny_checkpoint: Checkpoint, picture: Picture, tmp_path: Path
) -> None:
    with local_server() as server:
        request = AcquireRequest("museum", furnish(server, picture), "iiif", "A museum", side=800)
        report = Reporter(tmp_path / "progress.jsonl")
        added = add_collection(request, settings, report, tiny_checkpoint)
    store = open_store(settings)
    row = store.collection("museum")
    assert row is not None
    assert (row.title, row.kind, row.about["side"]) == ("A museum", "iiif", 800)
    works = store.works(row.id)
    assert [work.title for work in works] == [title for _, title, _, _ in PAINTINGS]
    assert [work.year for work in works] == [1905, 1831, 1884]
    assert all(work.state == "ready" and Path(work.file).is_file() for work in works)
    assert works[0].canvas.endswith("/canvas/night")
    assert works[0].rights.startswith("https://creativecommons.org/")
    assert added.table is not None
    table = read_embeddings(added.table)
    (known,) = store.estimate_sets(row.id)
    assert (known.checkpoint, known.count) == ("tiny", 3)
    by_hash = dict(zip(table.sha256, table.probabilities, strict=True))
    for estimate in store.estimates(known):
        row_of = list(estimate.probabilities.values())
        assert np.allclose(row_of, by_hash[estimate.sha256], atol=1e-6)
    assert table.metadata["artist"] == tuple(artist for _, _, artist, _ in PAINTINGS)


def test_estimates_wait_until_somebody_has_read_what_the_rights_say_of_machines(
    settings: Settings,
    paintings: Path,
    tmp_path: Path,
    tiny_checkpoint: Checkpoint,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = tmp_path / "works.csv"
    rows = ["0.jpg,No AI training", "1.jpg,All rights reserved", "gone.jpg,"]
    table.write_text("file,rights\n" + "".join(f"{paintings}/{row}\n" for row in rows))
    monkeypatch.setenv("EMOVIZ_HOME", str(settings.home))
    command = ["collection", "add", "c", str(table), "--checkpoint", str(tiny_checkpoint.folder)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "rights of 1 artworks: No AI training" in said
    assert "rights of 1 artworks: All rights reserved" in said
    assert "No estimates were made" in said
    store = open_store(settings)
    row = store.collection("c")
    assert row is not None
    assert store.estimate_sets(row.id) == []
    assert main([*command, "--rights-read", "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [(line["statement"], line["machines"]) for line in result["restrictions"]] == [
        ("No AI training", True),
        ("All rights reserved", False),
    ]
    assert result["held"] is False
    assert result["found"] == result["ready"] + len(result["problems"]) == 3
    assert store.estimate_sets(row.id)[0].count == 2


def test_a_second_run_keeps_ids_and_a_lost_image_is_told(
    settings: Settings, paintings: Path, tmp_path: Path
) -> None:
    request = AcquireRequest("local", str(paintings), "folder")
    report = Reporter(tmp_path / "progress.jsonl")
    add_collection(request, settings, report)
    store = open_store(settings)
    row = store.collection("local")
    assert row is not None
    before = {work.key: work.id for work in store.works(row.id)}
    states = {work.key: work.state for work in store.works(row.id)}
    assert states["broken.jpg"] == "failed"
    (paintings / "2.jpg").unlink()
    (paintings / "new.jpg").write_bytes((paintings / "1.jpg").read_bytes())
    (paintings / "3.jpg").write_bytes((paintings / "0.jpg").read_bytes())
    seen = {work.key: work.sha256 for work in store.works(row.id)}
    says = Draft(before["3.jpg"], store.reviewer("Ona").id, "choose", "t", (Feeling("awe"),))
    store.decide(says)
    added = add_collection(request, settings, report, again=True)
    changes = added.gathered.changes
    assert changes is not None
    assert (changes.came, changes.gone) == (("New",), ("2",))
    assert (changes.pictures, changes.words) == (("3",), ())
    work = store.work(before["3.jpg"])
    assert work is not None
    assert work.sha256 == seen["0.jpg"]
    (kept,) = store.standing(row.id)
    assert kept.sha256 == seen["3.jpg"]
    words = "awe (the picture was another one then)"
    assert desk_text.own_words(kept, work) == words
    again = add_collection(request, settings, report, again=True).gathered.changes
    assert again is not None
    assert not again
    after = {work.key: work.id for work in store.works(row.id)}
    assert after.keys() == {"0.jpg", "1.jpg", "3.jpg", "broken.jpg", "new.jpg"}
    assert {key: after[key] for key in ("0.jpg", "1.jpg")} == {
        key: before[key] for key in ("0.jpg", "1.jpg")
    }
    (paintings / "2.jpg").write_bytes((paintings / "0.jpg").read_bytes())
    add_collection(request, settings, report, again=True)
    back = next(work for work in store.works(row.id) if work.key == "2.jpg")
    assert back.sha256 == seen["0.jpg"] != seen["2.jpg"], "gone, and back as another"


@pytest.mark.parametrize(
    ("date", "year"),
    [("1889", 1889), ("about 1503-1506", 1503), ("12.5.1905", 1905), ("15th century", None),
     ("", None), ("1830s", 1830), ("no. 123456", None), ("c. 980 AD", 980)],
)  # fmt: skip
def test_years_out_of_dates(date: str, year: int | None) -> None:
    assert new_work(Item("k", Place(), date=date), None).year == year


def test_an_item_becomes_a_work_with_the_majority_of_its_votes() -> None:
    item = Item("k", Place(url="http://a"), shares={"fear": 0.2, "awe": 0.5}, page="http://p")
    work = new_work(item, Brought("k", error="gone"))
    assert (work.label, work.error, work.file, work.url) == ("awe", "gone", "", "http://a")
    assert work.metadata == {"page": "http://p"}
    assert new_work(replace(item, shares={"fear": 0.0}), None).label == ""


def test_a_killed_process_goes_on_where_it_was(
    settings: Settings, picture: Picture, tmp_path: Path
) -> None:
    with local_server() as server:
        count = 40

        def image(path: str) -> object:
            if not path.startswith("/i/"):
                return None

            def slow(handler: object) -> None:
                time.sleep(0.05)
                body = picture(seed=int(path[3:]))
                handler.send_response(200)  # type: ignore[attr-defined]
                handler.send_header("Content-Length", str(len(body)))  # type: ignore[attr-defined]
                handler.end_headers()  # type: ignore[attr-defined]
                handler.wfile.write(body)  # type: ignore[attr-defined]

            return slow

        server.otherwise = image  # type: ignore[assignment]
        table = tmp_path / "works.csv"
        table.write_text("\n".join(["url", *(f"{server.address}/i/{i}" for i in range(count))]))
        words = [sys.executable, "-m", "emoviz", "collection", "add", "many", str(table)]
        environment = {
            **os.environ,
            "EMOVIZ_HOME": str(settings.home),
            "EMOVIZ_ALLOW_PRIVATE_URLS": "true",
            "EMOVIZ_FETCH_PAUSE": "0.001",
        }
        command = [*words, "--checkpoint", "none", "--format", "json"]
        running = subprocess.Popen(
            command, env=environment, cwd=PROJECT_ROOT, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 60
        while len(server.asked) < 10 and time.monotonic() < until:
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
        running.wait()
        first = set(server.paths())
        assert 10 <= len(first) < count
        server.asked.clear()
        done = subprocess.run(
            command, env=environment, cwd=PROJECT_ROOT, capture_output=True, check=True
        )
        result = json.loads(done.stdout)
        assert (result["ready"], result["failed"], result["waiting"]) == (count, 0, 0)
        again = first & set(server.paths())
        assert len(again) <= 1  # the one that was on its way
        assert len(first | set(server.paths())) == count


def test_the_command_line_adds_lists_and_removes(
    home: Path,
    tiny_checkpoint: Checkpoint,
    paintings: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    add = ["collection", "add", "mine", str(paintings), "--title", "Mine"]
    assert main([*add, "--checkpoint", "tiny", "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["works"], result["ready"], result["checkpoint"]) == (5, 4, "tiny")
    assert [row["what"] for row in result["problems"]] == ["Broken"]
    assert main(["collection", "list", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["title"], row["kind"], row["ready"]) == ("mine", "Mine", "folder", 4)
    assert main(["collection", "list"]) == 0
    assert "4 of 5 here, 1 failed" in capsys.readouterr().out
    assert main(["collection", "remove", "mine"]) == 0
    assert (paintings / "1.jpg").is_file()
    assert main(["collection", "list"]) == 0
    assert "No collections yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["add", "Bad Name", "sample"],
        ["add", "x", "gone"],
        ["add", "x", "http://127.0.0.1:9/manifest"],
        ["add", "x", "ftp://a.example/m", "--kind", "iiif"],
        ["remove", "gone"],
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    home: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    none = ["--checkpoint", "none"] if words[0] == "add" else []
    assert main(["collection", *words, *none]) == 2
    told = capsys.readouterr().err
    assert told.startswith("emoviz: ") or "\nemoviz: " in told
    assert "Traceback" not in told
    assert not (home / "collections" / "x").exists()
