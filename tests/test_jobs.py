"""Jobs: processes that outlive whoever started them, and how they are watched and stopped."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from emoviz import jobs
from emoviz.checkpoints import Checkpoint
from emoviz.errors import BusyError
from emoviz.jobs import Job, JobProgress, Reporter, find, list_jobs, start
from emoviz.settings import Settings

Picture = Callable[..., bytes]
pytestmark = pytest.mark.usefixtures("jobs_end")
posix = pytest.mark.skipif(os.name == "nt", reason="signals and groups of processes")


@pytest.fixture
def long_command(tiny_checkpoint: Checkpoint, tmp_path: Path, picture: Picture) -> list[str]:
    """Takes several seconds: 3000 files, each another by a few bytes behind the picture."""
    folder, data = tmp_path / "many", picture()
    folder.mkdir()
    for i in range(3000):
        (folder / f"{i:04}.jpg").write_bytes(data + i.to_bytes(2, "big"))
    return ["embed", str(folder), "--checkpoint", "tiny", "--batch", "1"]


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def running(settings: Settings, command: list[str]) -> Job:
    """A job whose command has begun to say how far it is."""
    job = start(settings, "long", command, "key")
    until(lambda: job.progress.share > 0)
    return job


def command_of(process: int) -> int:
    """The process id of the command that a job's own process waits for."""
    (child,) = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return int(child)


def group_is_gone(process: int) -> bool:
    try:
        os.killpg(process, 0)
    except ProcessLookupError:
        return True
    return False


# A job's life --------------------------------------------------------------------------------


def test_job_runs_to_its_end(
    tiny_checkpoint: Checkpoint, settings: Settings, tmp_path: Path, picture: Picture
) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.jpg").write_bytes(picture())
    settings = replace(settings, home=tmp_path / "elsewhere")  # not what the environment says
    command = ["embed", str(tmp_path / "set"), "--checkpoint", str(tiny_checkpoint.folder)]
    job = start(settings, "embedding a set", command, "embed/set/tiny")
    assert job.state in ("waiting", "running")
    assert job.is_live
    assert job.wait(300) == "done"
    assert (job.code, job.is_live) == (0, False)
    assert job.progress.share == 1.0
    assert job.progress.result is not None
    assert job.progress.result["images"] == 1
    assert Path(job.progress.result["out"]).is_relative_to(settings.home)
    assert any("1 images of" in line for line in job.tail())
    assert job.silent < 60
    again = find(settings, "embed/set/tiny")
    assert again == job
    assert again.command == tuple(command)
    job.cancel()
    assert job.state == "done", "what is over cannot be cancelled"


def test_command_that_fails_says_why(settings: Settings) -> None:
    job = start(settings, "nothing", ["embed", "none at all"], "key")
    assert job.wait(60) == "failed"
    assert job.code == 2
    assert "There is no 'none at all'" in job.tail()[-1]
    other = start(settings, "nothing", ["embed", "none at all"], "key")
    assert other.folder != job.folder, "a job that is over is started anew"
    assert other.wait(60) == "failed"
    assert find(settings, "key") == other


@posix
def test_cancelled_job_leaves_no_process(settings: Settings, long_command: list[str]) -> None:
    job = running(settings, long_command)
    process = int((job.folder / "alive").read_text())
    assert job.state == "running"
    job.cancel()
    assert job.state == "cancelled"
    assert job.code == -signal.SIGTERM
    until(lambda: group_is_gone(process))
    lines = (job.folder / "progress.jsonl").read_text().splitlines()
    shares = [json.loads(line)["share"] for line in lines]
    assert shares == sorted(shares)
    assert 0 < shares[-1] < 0.95


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_job_that_does_not_listen_is_killed(settings: Settings, long_command: list[str]) -> None:
    job = running(settings, long_command)
    process = int((job.folder / "alive").read_text())
    os.kill(command_of(process), signal.SIGSTOP)
    threads = Path(f"/proc/{command_of(process)}/task")
    # A thread that has not stopped yet would still hear SIGTERM.
    until(lambda: all("State:\tT" in (t / "status").read_text() for t in threads.iterdir()))
    job.cancel()
    until(lambda: group_is_gone(process))
    assert job.state == "cancelled"
    assert job.code == -signal.SIGKILL


@posix
def test_a_stop_needs_no_process_id(settings: Settings, long_command: list[str]) -> None:
    """Another container that shares the home has other processes of the same ids."""
    job = running(settings, long_command)
    (job.folder / "alive").write_text("1")
    job.cancel()
    assert job.state == "cancelled"
    assert job.code == -signal.SIGTERM


def test_a_queue_runs_some_at_once(settings: Settings, long_command: list[str]) -> None:
    found = [start(settings, "x", long_command, f"key {n}", "work", at_once=2) for n in range(3)]
    until(lambda: [job.state for job in found[:2]] == ["running"] * 2)
    until(lambda: found[2].state == "queued")
    assert [job.ahead for job in found] == [0, 0, 1]
    found[0].cancel()
    until(lambda: found[2].state == "running")
    for job in found[1:]:
        job.cancel()


def test_one_person_starts_only_so_much(
    settings: Settings, long_command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_MOST", 2)
    mine = [start(settings, "x", long_command, f"key {n}", "work", 1, "7") for n in range(2)]
    with pytest.raises(BusyError, match="2 tasks at work or waiting"):
        start(settings, "x", long_command, "one more", "work", 1, "7")
    assert start(settings, "x", long_command, "key 1", "work", 1, "7") == mine[1], "none is added"
    other = start(settings, "x", ["recipes"], "other", "", 1, "8")
    other.wait(300)
    assert other.code is not None, "another may start"
    for job in mine:
        job.cancel()
    start(settings, "x", ["recipes"], "one more", "work", 1, "7").wait(300)


def test_a_clock_that_was_set_back_changes_no_order(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_process", lambda job, settings: None)
    began = time.time_ns()
    before = start(settings, "x", ["recipes"], "a")
    (before.folder / "result.json").write_text('{"code": 0}')
    monkeypatch.setattr(time, "time_ns", lambda: began - 3_600_000_000_000)
    again, other = (start(settings, "x", ["recipes"], key) for key in ("a", "b"))
    assert [job.folder for job in list_jobs(settings)] == [
        job.folder for job in (other, again, before)
    ]
    assert find(settings, "a") == again


def test_job_cancelled_before_it_came_to_life_never_begins(
    settings: Settings, long_command: list[str]
) -> None:
    job = start(settings, "long", long_command, "key")
    (job.folder / "cancelled").touch()
    until(lambda: (job.folder / "result.json").exists())
    assert job.state == "cancelled"
    assert job.progress.share == 0


@posix
def test_killed_job_is_lost_at_once(settings: Settings, long_command: list[str]) -> None:
    job = running(settings, long_command)
    os.killpg(int((job.folder / "alive").read_text()), signal.SIGKILL)
    until(lambda: not job.is_live)
    assert job.state == "lost"
    assert job.code is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_command_killed_by_the_system_has_failed(
    settings: Settings, long_command: list[str]
) -> None:
    """As where memory runs out: the command dies, the process beside it tells."""
    job = running(settings, long_command)
    os.kill(command_of(int((job.folder / "alive").read_text())), signal.SIGKILL)
    assert job.wait(30) == "failed"
    assert job.code == -signal.SIGKILL


def test_two_sessions_that_ask_at_once_watch_one_job(
    settings: Settings, long_command: list[str]
) -> None:
    found: list[Job] = []
    threads = [
        threading.Thread(target=lambda: found.append(start(settings, "x", long_command, "key")))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({job.folder for job in found}) == 1
    other = start(settings, "x", ["embed", "none"], "another key")
    assert other.folder != found[0].folder
    found[0].cancel()
    other.wait(30)


def test_job_outlives_the_process_that_started_it(
    settings: Settings, long_command: list[str]
) -> None:
    code = (
        "import sys; from emoviz.jobs import start; from emoviz.settings import load_settings\n"
        "start(load_settings(), 'x', sys.argv[1:], 'key')"
    )
    subprocess.run([sys.executable, "-c", code, *long_command], check=True)
    job = find(settings, "key")
    assert job is not None
    until(lambda: job.progress.share > 0)
    assert job.state == "running"
    assert start(settings, "x", long_command, "key") == job
    job.cancel()


# Folders -------------------------------------------------------------------------------------


def folder_of(settings: Settings, name: str, **values: object) -> Path:
    folder = settings.home / "jobs" / name
    folder.mkdir(parents=True)
    whole = {"what": "x", "key": name, "command": [], "started": time.time(), **values}
    (folder / "job.json").write_text(json.dumps(whole))
    return folder


def test_job_that_never_came_to_life_is_lost_after_a_while(settings: Settings) -> None:
    folder_of(settings, "1", started=time.time() - 5)
    folder_of(settings, "2", started=time.time() - 3600)
    states = {job.key: job.state for job in list_jobs(settings)}
    assert states == {"1": "waiting", "2": "lost"}


def test_a_process_that_has_made_its_file_and_does_not_hold_it_yet_is_not_lost(
    settings: Settings,
) -> None:
    folder = folder_of(settings, "1", started=time.time())
    (folder / "alive").touch()
    (job,) = list_jobs(settings)
    assert job.state == "waiting"
    (folder / "alive").write_text("1")
    assert job.state == "lost"


def test_old_jobs_are_swept_when_one_is_started(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_KEPT_JOBS", 2)
    now = time.time()
    old = folder_of(settings, "20250101", started=now - 30 * 86400)
    kept = [folder_of(settings, f"2026010{i}", started=now - 60) for i in (2, 3)]
    more = folder_of(settings, "20260101", started=now - 60)
    start(settings, "x", ["embed", "none"], "key").wait(30)
    assert not old.exists()
    assert not more.exists()
    assert all(folder.exists() for folder in kept)


def test_damaged_folders_are_passed_over(settings: Settings) -> None:
    assert list_jobs(settings) == []
    assert find(settings, "key") is None
    folder_of(settings, "1", nonsense=1)
    (folder_of(settings, "2") / "job.json").write_text("{")
    (settings.home / "jobs" / "3").mkdir()
    assert list_jobs(settings) == []


def test_half_a_line_of_progress_is_passed_over(settings: Settings) -> None:
    folder = folder_of(settings, "1")
    (job,) = list_jobs(settings)
    assert job.progress == JobProgress(time=job.started)
    whole = {"share": 0.5, "words": "at it", "seconds_left": 3.0, "time": 1.0, "result": None}
    (folder / "progress.jsonl").write_text(json.dumps(whole) + '\n{"share": 0.')
    assert job.progress == JobProgress(**whole)
    assert job.silent == pytest.approx(time.time() - 1.0, abs=5)
    assert job.tail() == []


# Progress ------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(jobs.time, "monotonic", lambda: now[0])
    return now


def test_progress_of_two_steps_by_hand(tmp_path: Path, clock: list[float]) -> None:
    file = tmp_path / "p.jsonl"
    report = Reporter(file)
    report.step("reading", until=0.5)
    for done in (1, 2, 3, 4):
        clock[0] += 2.0
        report(done, 4)
    report.step("writing")
    clock[0] += 1.0
    report(1, 10)
    report.finish("done", {"rows": 4})
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["share"] for line in lines] == [0, 0.125, 0.25, 0.375, 0.5, 0.5, 0.55, 1]
    assert [line["words"] for line in lines[:2]] == ["reading", "reading, 1 of 4"]
    # from the first item on an eighth in two seconds, so six eighths in twelve; then anew
    lefts = [line["seconds_left"] for line in lines]
    assert lefts == [None, None, 12.0, 10.0, 8.0, None, None, 0.0]
    assert [line["result"] for line in lines[-2:]] == [None, {"rows": 4}]


def test_what_is_loaded_before_the_first_share_says_nothing_of_the_speed(
    tmp_path: Path, clock: list[float]
) -> None:
    report = Reporter(tmp_path / "p.jsonl")
    for seconds, share in ((0, 0.0), (38, 0.08), (4, 0.16)):
        clock[0] += seconds
        report.at(share, f"looking, {share}")
    lines = (tmp_path / "p.jsonl").read_text().splitlines()
    assert [json.loads(line)["seconds_left"] for line in lines] == [None, None, 42.0]


def test_time_left_follows_the_speed_of_the_last_half_minute(
    tmp_path: Path, clock: list[float]
) -> None:
    """A thousand images a second at first, because they are known, then ten a second."""
    report = Reporter(tmp_path / "p.jsonl")
    report.step("embedding")
    done = 0
    for speed, seconds in ((1000, 5), (10, 60)):
        for _ in range(seconds):
            clock[0] += 1.0
            done += speed
            report(done, 10_000)
    last = json.loads((tmp_path / "p.jsonl").read_text().splitlines()[-1])
    assert last["seconds_left"] == pytest.approx((10_000 - done) / 10, rel=0.05)


def test_lines_come_once_a_second_and_at_the_end(clock: list[float]) -> None:
    stream = io.StringIO()
    report = Reporter(None, stream)
    report.step("embedding images")
    for done in range(1, 101):
        clock[0] += 0.125
        report(done, 100)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "embedding images"
    assert lines[1:3] == ["embedding images, 8 of 100", "embedding images, 16 of 100, 10 s left"]
    assert lines[-2:] == ["embedding images, 96 of 100, 0 s left", "embedding images, 100 of 100"]
    assert len(lines) == 1 + 100 // 8 + 1


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "1 s"), (59, "59 s"), (61, "1 min 1 s"), (7265, "2 h 1 min")]
)
def test_time_in_words(clock: list[float], seconds: float, words: str) -> None:
    stream = io.StringIO()
    report = Reporter(None, stream)
    report.step("x")
    clock[0] += 1.0
    report(1, 3)
    clock[0] += seconds
    report(2, 3)
    assert stream.getvalue().splitlines()[-1] == f"x, 2 of 3, {words} left"


def test_full_disk_does_not_stop_the_work(tmp_path: Path) -> None:
    report = Reporter(tmp_path / "no such folder" / "p.jsonl")
    report.step("x")
    report(1, 1)
    report.finish("done", {})
