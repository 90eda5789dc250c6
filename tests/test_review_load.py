"""Several people at once, processes and servers killed in between: no decision lost, none twice.

The benchmark does the same with eight people and a thousand decisions each.
"""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from emoviz.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from postgresql import Cluster

SCRIPT = PROJECT_ROOT / "benchmarks" / "review.py"


def run_load(url: str, *more: str) -> dict[str, object]:
    words = [sys.executable, str(SCRIPT), "load", "--url", url, *more]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return result


def url_of(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if name == "sqlite":
        return f"sqlite:///{tmp_path}/review.sqlite"
    cluster: Cluster = request.getfixturevalue("postgresql")
    return cluster.url()


def stored(url: str) -> int:
    """How many decisions there are; 0 before there is a table for them."""
    import psycopg

    try:
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT count(*) FROM decisions").fetchone()
    except psycopg.Error:
        return 0
    return int(row[0]) if row else 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sqlite", "postgresql"])
def test_people_at_once_killed_in_between_lose_nothing(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = url_of(name, request, tmp_path)
    result = run_load(url, "--people", "4", "--decisions", "40", "--kills", "6")
    assert result["stored"] == result["wanted"] == result["standing"] == 160
    assert (result["lost"], result["twice"], result["in_order"]) == (0, 0, True)
    assert result["kills"] == 6


@pytest.mark.slow
def test_the_database_server_killed_in_between_loses_nothing(postgresql: "Cluster") -> None:
    url, stop = postgresql.url(), threading.Event()
    killed = []

    def kill_in_between() -> None:
        for count in (100, 500, 900):
            while stored(url) < count and not stop.wait(0.02):
                pass
            if not stop.is_set():
                postgresql.kill()
                postgresql.start()
                killed.append(count)

    thread = threading.Thread(target=kill_in_between)
    thread.start()
    try:
        result = run_load(url, "--people", "3", "--decisions", "400")
    finally:
        stop.set()
        thread.join()
    assert killed == [100, 500, 900]
    assert (result["stored"], result["lost"], result["twice"]) == (1200, 0, 0)
    assert result["in_order"]
