"""The review store under load: the next artwork of 100,000, and eight people deciding at once.

    python benchmarks/review.py queue [--works 100000] [--url URL]
    python benchmarks/review.py load [--people 8] [--decisions 1000] [--kills 0] [--url URL]

Both run on SQLite in a temporary folder and, where PostgreSQL is installed, on a server of their
own that waits for the disk at each commit; `--url` names one database instead.

`queue` asks for the next three works after each decision, as the page does, in every order; then
in a process that knows nothing, with the first half of the queue decided. Wanted: below 50 ms.

`load` lets each person decide all works in a process of their own. A process writes a line to its
own file only when the store has said that a decision is stored. With `--kills`, processes are
killed at random (SIGKILL) and go on by sending again what was not acknowledged. Then every
acknowledged decision must be in the store, in the order in which it was made, and none twice; the
exit code says whether this holds.
"""

import argparse
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from sqlalchemy import func, insert, select

from emoviz.labels import MIKELS8
from emoviz.review import rows, schema
from emoviz.review.database import Database
from emoviz.review.deciding import rebuild
from emoviz.review.model import (
    ORDERS,
    ArtworkFilters,
    Draft,
    Feeling,
    NewEstimate,
    NewWork,
    Queue,
    ShownWork,
)
from emoviz.review.store import ReviewStore

sys.path.append(str(Path(__file__).parent.parent / "tests"))

FINGERPRINT = "b" * 64
STEPS = 200


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("queue", "load"))
    parser.add_argument("--works", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--decisions", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--url", help="of one empty database, instead of both")
    arguments = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for name, url in databases(arguments.url, Path(folder)):
            print(f"\n{name}", flush=True)
            if arguments.what == "queue":
                queues(url, arguments.works)
            else:
                good &= load(url, Path(folder, name), arguments)
    return 0 if good else 1


def databases(url: str | None, folder: Path) -> Iterator[tuple[str, str]]:
    """Name and URL of each database."""
    if url is not None:
        yield "given", url
        return
    yield "SQLite", f"sqlite:///{folder}/review.sqlite"
    from postgresql import cluster, programs

    found = programs()
    if found is None:
        print("PostgreSQL is not installed")
        return
    with cluster(found, durable=True) as running:
        yield "PostgreSQL", running.url()


@contextmanager
def opened(url: str) -> Iterator[ReviewStore]:
    store = ReviewStore(Database(url))
    try:
        yield store
    finally:
        store.engine.dispose()


def furnish(store: ReviewStore, count: int) -> int:
    """A collection of so many works, each with an estimate; gives its id."""
    rng = np.random.default_rng(0)
    works = [
        NewWork(
            f"work {n}",
            title=f"Painting {n}",
            artist=f"Artist {n % 997}",
            style=f"Style {n % 23}",
            year=1500 + n % 500,
            sha256=f"{n:064x}",
        )
        for n in range(count)
    ]
    collection = store.add_collection("load", "Load", "", "folder", {}).id
    store.put_works(collection, works)
    probabilities = rng.dirichlet(np.full(8, 0.4), count).tolist()
    novelty = rng.uniform(0, 2, count).tolist()
    store.put_estimates(
        *(collection, "bench", FINGERPRINT, "0", MIKELS8, ""),
        (
            NewEstimate(work.sha256, tuple(p), far)
            for work, p, far in zip(works, probabilities, novelty, strict=True)
        ),
    )
    return collection


# The queue --------------------------------------------------------------------------------------


def queues(url: str, count: int) -> None:
    """Print milliseconds of the next works in each order."""
    with opened(url) as store:
        began = time.perf_counter()
        collection = furnish(store, count)
        print(f"  {count:,} works and estimates put in: {time.perf_counter() - began:.1f} s")
        people = [store.reviewer(f"Person {n}").id for n in range(2 * len(ORDERS))]
        for order, person in zip(ORDERS, people, strict=False):
            queue = Queue(collection, person, FINGERPRINT, order, seed=3)
            told(f"{order}, after each of {STEPS} decisions", walk(store, queue))
        for order, half in zip(ORDERS, people[len(ORDERS) :], strict=True):
            decide_half(store, Queue(collection, half, FINGERPRINT, order, seed=3), count)
    for order, half in zip(ORDERS, people[len(ORDERS) :], strict=True):
        with opened(url) as fresh:
            queue = Queue(collection, half, FINGERPRINT, order, seed=3)
            first = [milliseconds_of(lambda f=fresh, q=queue: f.upcoming(q, 3))]
            told(f"{order}, first after a restart, half decided", first)
            told(f"{order}, then", walk(fresh, queue, 50))
    with opened(url) as fresh:
        queue = Queue(collection, half, FINGERPRINT, "uncertain")
        told("progress", [milliseconds_of(lambda: fresh.progress(queue)) for _ in range(9)])
        for words, filters in (
            ("an artist", ArtworkFilters(artist="Artist 5")),
            ("an emotion", ArtworkFilters(emotion="awe")),
            ("a text found once", ArtworkFilters(text=f"painting {count // 2}")),
        ):
            wanted = replace(queue, filters=filters)
            told(f"filter: {words}", [milliseconds_of(lambda q=wanted: fresh.upcoming(q, 3))])


def walk(store: ReviewStore, queue: Queue, steps: int = STEPS) -> list[float]:
    """Milliseconds of asking for the next three, each time after a decision on the first."""
    spent = []
    for _ in range(steps):
        began = time.perf_counter()
        found = store.upcoming(queue, 3)
        spent.append(1000 * (time.perf_counter() - began))
        token = f"{queue.reviewer}-{found[0].work.id}"
        shown = ShownWork(order=queue.order)
        draft = Draft(*(found[0].work.id, queue.reviewer, "none", token), shown=shown)
        store.decide(replace(draft, fingerprint=FINGERPRINT))
    return spent


def milliseconds_of(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - began)


def told(name: str, spent: list[float]) -> None:
    high = sorted(spent)[int(0.99 * (len(spent) - 1))]
    print(f"  {name:52}median {statistics.median(spent):7.1f} ms, 99 % {high:7.1f}", flush=True)


def decide_half(store: ReviewStore, queue: Queue, count: int) -> None:
    """The first half of a queue, written at once."""
    first = [place.work.id for place in store.listed(queue, count // 2)]
    fact = {
        "collection": queue.collection,
        "reviewer": queue.reviewer,
        **dict.fromkeys(("sha256", "checkpoint", "note"), ""),
        "fingerprint": FINGERPRINT,
        "kind": "none",
        "feelings": [],
        "shown": vars(ShownWork(order=queue.order)),
        "time": rows.now(),
    }
    with store.write() as made:
        values = [fact | {"work": id, "token": f"{queue.reviewer}-half-{id}"} for id in first]
        made.execute(insert(schema.decisions), values)
        rebuild(made, queue.collection)


# Many at once -----------------------------------------------------------------------------------


def load(url: str, folder: Path, arguments: argparse.Namespace) -> bool:
    """Let everybody decide at once; print how it went; whether nothing is lost or twice."""
    folder.mkdir(parents=True, exist_ok=True)
    with opened(url) as store:
        collection = furnish(store, arguments.decisions)
        works = [work.id for work in store.works(collection)]
        people = [store.reviewer(f"Person {n}").id for n in range(arguments.people)]
    rng = random.Random(arguments.seed)
    began = time.perf_counter()
    running = {start(url, folder, person, works): person for person in people}
    kills = 0
    while running:
        if kills < arguments.kills and any_progress(folder, people, kills, arguments):
            process = rng.choice(sorted(running))
            os.kill(process, signal.SIGKILL)
            kills += 1
        done, status = os.waitpid(-1, os.WNOHANG)
        if done:
            person = running.pop(done)
            if status:  # killed, or the database was gone: it goes on
                running[start(url, folder, person, works)] = person
        time.sleep(0.005)
    took = time.perf_counter() - began
    return judged(url, folder, collection, people, works, took, kills)


def any_progress(
    folder: Path, people: list[int], kills: int, arguments: argparse.Namespace
) -> bool:
    """Whether so much is done that it is time for the next kill: they are spread evenly."""
    done = sum(len(acknowledged(folder, person)) for person in people)
    whole = arguments.people * arguments.decisions
    return done > whole * (kills + 0.5) / (arguments.kills + 1)


def start(url: str, folder: Path, person: int, works: list[int]) -> int:
    """One person in a process of their own; a fork has all modules already."""
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        decide(url, folder / f"{person}.txt", person, works)
        code = 0
    finally:
        os._exit(code)


def decide(url: str, file: Path, person: int, works: list[int]) -> None:
    """Decide what is not yet acknowledged, in order, one line for each acknowledgement."""
    known = len(acknowledged(file.parent, person))
    log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    if file.stat().st_size and not file.read_bytes().endswith(b"\n"):
        os.write(log, b"\n")  # half a line of one that was killed: not acknowledged
    with opened(url) as store:
        for number in range(known, len(works)):
            began = time.perf_counter()
            draft = Draft(
                *(works[number], person, "choose", f"{person}-{number}"),
                feelings=(Feeling("awe", 1 + number % 3),),
                note="a note of a few words",
                fingerprint=FINGERPRINT,
            )
            store.decide(draft)
            spent = 1000 * (time.perf_counter() - began)
            os.write(log, f"{person}-{number} {spent:.2f} ok\n".encode())


def acknowledged(folder: Path, person: int) -> list[tuple[str, float]]:
    """Tokens and milliseconds of whole lines."""
    file = folder / f"{person}.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    whole = [line.split() for line in lines if line.endswith(" ok")]
    return [(token, float(spent)) for token, spent, _ in whole]


def judged(
    url: str,
    folder: Path,
    collection: int,
    people: list[int],
    works: list[int],
    took: float,
    kills: int,
) -> bool:
    said = {person: acknowledged(folder, person) for person in people}
    with opened(url) as store:
        facts = store.decisions(collection)
        with store.read() as found:
            query = select(func.count()).select_from(schema.standing)
            standing = found.scalar(query)
    stored: dict[int, list[str]] = {person: [] for person in people}
    for item in facts:
        stored[item.reviewer].append(item.token)
    wanted = len(people) * len(works)
    lost = sum(len({t for t, _ in said[p]} - set(stored[p])) for p in people)
    twice = len(facts) - len({item.token for item in facts})
    order = [stored[p] == [f"{p}-{n}" for n in range(len(works))] for p in people]
    spent = [ms for person in people for _, ms in said[person]]
    told(f"{len(people)} people, {len(works):,} decisions each", spent)
    result = {
        "stored": len(facts),
        "wanted": wanted,
        "standing": standing,
        "lost": lost,
        "twice": twice,
        "in_order": all(order),
        "kills": kills,
        "seconds": round(took, 2),
        "a_second": round(len(facts) / took),
    }
    print(f"  {json.dumps(result)}", flush=True)
    return len(facts) == wanted == standing and lost == twice == 0 and all(order)


if __name__ == "__main__":
    sys.exit(main())
