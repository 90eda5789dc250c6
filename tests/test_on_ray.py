"""Parts on a local Ray of two workers, one of them killed: the same table, and nothing lost.

Ray is large and not among the packages of the tests: `pip install ray` brings it.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from placed import put_checkpoint

from emoviz.cli import main

needs_ray = [
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install ray"),
    # Ray leaves sockets to the garbage collector, and is as it is otherwise.
    pytest.mark.filterwarnings("default"),
    pytest.mark.slow,
]


@pytest.fixture
def embed(
    tiny_source: Path,
    tmp_path: Path,
    picture: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., int]:
    home, folder = tmp_path / "home", tmp_path / "set"
    for seed in range(12):
        path = folder / ("awe" if seed % 2 else "fear") / f"{seed}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(seed=seed))
    (folder / "awe" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    put_checkpoint(tiny_source, home)
    monkeypatch.setenv("EMOVIZ_HOME", str(home))
    monkeypatch.setenv("EMOVIZ_DEVICE", "cpu")
    return lambda *words: main(["embed", str(folder), "--checkpoint", "tiny", *map(str, words)])


def test_without_ray_one_sentence_says_what_brings_it(
    embed: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert embed("--engine", "ray", "--out", tmp_path / "t.parquet") == 2
    assert "pip install 'emoviz[ray]'" in capsys.readouterr().err
    assert embed("--engine", "ray") == 2
    assert "need --out" in capsys.readouterr().err


class NearlyRay(SimpleNamespace):
    """As much of Ray as is used, in this process; workers named in `dying` die at their part."""

    class RayError(Exception):
        pass

    class RayTaskError(RayError):
        pass

    def __init__(self, *dying: int) -> None:
        errors = SimpleNamespace(RayError=self.RayError, RayTaskError=self.RayTaskError)
        super().__init__(exceptions=errors, started=0, dying=list(dying))

    def init(self, **_: object) -> None:
        pass

    def shutdown(self) -> None:
        pass

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}

    def remote(self, **_: object) -> Callable[..., object]:
        def worker(kind: Any) -> object:
            return SimpleNamespace(remote=lambda *given: self._worker(kind(*given)))

        return worker

    def _worker(self, held: Any) -> object:
        self.started += 1
        made = SimpleNamespace(remote=lambda part: (held, part))
        return SimpleNamespace(made=made)

    def wait(self, asked: list[Any]) -> tuple[list[Any], list[Any]]:
        return asked[:1], asked[1:]

    def get(self, asked: Any) -> bytes:
        held, part = asked
        if part.number in self.dying:
            self.dying.remove(part.number)
            raise self.RayError("The worker died.")
        return bytes(held.made(part))


@pytest.mark.parametrize("dying", [(), (2,), (1, 1, 5)])
def test_what_dying_workers_had_is_made_again(
    embed: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    dying: tuple[int, ...],
) -> None:
    nearly = NearlyRay(*dying)
    monkeypatch.setitem(sys.modules, "ray", nearly)
    monkeypatch.chdir(tmp_path)
    assert embed("--out", "whole.parquet") == 0
    assert embed("--engine", "ray", "--workers", 2, "--out", "ray.parquet") == 0
    assert nearly.started == 2 + len(dying)
    assert capsys.readouterr().err.count("a worker died") == len(dying)
    assert pq.read_table("ray.parquet").equals(pq.read_table("whole.parquet"))
    assert not Path("ray.parquet.parts").exists()


def test_a_part_that_ends_every_worker_is_given_up_and_the_others_are_kept(
    embed: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", NearlyRay(8, 8, 8))
    monkeypatch.chdir(tmp_path)
    words = ("--engine", "ray", "--workers", 2, "--out", "ray.parquet")
    assert embed(*words) == 2
    assert "Part 8 of 8 ended 3 workers" in capsys.readouterr().err
    assert not Path("ray.parquet").exists()
    assert len(list(Path("ray.parquet.parts").iterdir())) == 7
    assert embed(*words) == 0
    assert "7 of 8 parts are here already" in capsys.readouterr().err
    assert len(pq.read_table("ray.parquet")) == 12


class TestOnRay:
    pytestmark = needs_ray

    def test_a_killed_worker_costs_the_part_that_it_was_at(
        self,
        embed: Callable[..., int],
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        from emoviz.cli import on_ray

        class Dying(on_ray.PartWorker):
            """The first worker that is asked for part 2 kills itself, as no memory would."""

            def __init__(self, arguments: argparse.Namespace, folder: str, threads: int) -> None:
                super().__init__(arguments, folder, threads)
                self._mark = Path(folder, "died")

            def made(self, part: on_ray.Part) -> bytes:
                if part.number == 2 and not self._mark.exists():
                    self._mark.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                return super().made(part)

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(on_ray, "PartWorker", Dying)
        assert embed("--out", "whole.parquet") == 0
        assert embed("--engine", "ray", "--workers", 2, "--out", "ray.parquet") == 0
        assert (tmp_path / "died").exists()
        assert "a worker died; part 2 is done again" in capsys.readouterr().err
        table = pq.read_table("ray.parquet")
        assert table.equals(pq.read_table("whole.parquet"))
        assert len(table) == 12
        assert not (tmp_path / "ray.parquet.parts").exists()

    def test_a_run_goes_on_with_what_is_missing(
        self, embed: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder, out = tmp_path / "t.parquet.parts", tmp_path / "t.parquet"
        for number in (1, 2):
            assert embed("--part", f"{number}/3", "--out", folder / f"{number}-of-3.parquet") == 0
        (folder / "3-of-3.parquet").write_bytes(b"PAR1 cut short")
        assert embed("--engine", "ray", "--workers", 1, "--out", out) == 0
        assert "2 of 3 parts are here already" in capsys.readouterr().err
        assert embed("--out", tmp_path / "whole.parquet") == 0
        assert pq.read_table(out).equals(pq.read_table(tmp_path / "whole.parquet"))
