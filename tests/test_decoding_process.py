"""The process that unpacks images: same pixels, and no file that hurts more than itself."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emoviz.data import decoding_process
from emoviz.data.decoding import Limits
from emoviz.data.decoding import decode as decode_here
from emoviz.data.images import open_image, open_small
from emoviz.errors import ImageError

Picture = Callable[..., bytes]
# Answers as the real one does, but does what an attack on a decoder would do for some files.
HOSTILE = """
from emoviz.data import decoding_process as process
import os, signal, time
real = process.decode_here
def decode(data, limits, short_side, square):
    if data.startswith(b"crash"): os.kill(os.getpid(), signal.SIGSEGV)
    if data.startswith(b"sleep"): time.sleep(600)
    if data.startswith(b"spin"):
        while True: pass
    if data.startswith(b"grow"): bytearray(10 ** 12)
    if data.startswith(b"bug"): raise KeyError("x")
    if data.startswith(b"print"): print("noise" * 1000, flush=True)
    return real(data, limits, short_side, square)
process.decode_here = decode
process._seconds_for = lambda size: 0.5
process.serve()
"""


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[decoding_process._Pool]:
    """A pool of this test's own."""
    made = decoding_process._Pool()
    monkeypatch.setattr(decoding_process, "_pool", made)
    yield made
    made.close()


@pytest.fixture
def hostile(pool: decoding_process._Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that do as a file tells them; half a second each."""
    monkeypatch.setattr(decoding_process, "_COMMAND", HOSTILE)
    monkeypatch.setattr(decoding_process, "_seconds_for", lambda size: 0.5)


def awake(pool: decoding_process._Pool, picture: Picture) -> None:
    """Ask until a process answers."""
    for _ in range(100):
        open_image(picture())
        if pool._idle:
            return
        time.sleep(0.05)
    raise AssertionError("no process started")


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"])
def test_pixels_are_those_that_this_process_would_unpack(
    pool: decoding_process._Pool, picture: Picture, fmt: str
) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    awake(pool, picture)
    data = picture(fmt, size=(300, 200))
    there, here = open_image(data, short_side=90), decode_here(data, Limits(), 90)
    np.testing.assert_array_equal(np.asarray(there.pixels), np.asarray(here.pixels))
    assert (there.sha256, there.size, there.notes) == (here.sha256, here.size, here.notes)
    broken = data[: len(data) // 2]
    with pytest.raises(ImageError) as told_there:
        open_image(broken)
    with pytest.raises(ImageError) as told_here:
        decode_here(broken, Limits())
    assert str(told_there.value) == str(told_here.value)


def test_notes_and_limits_go_along(pool: decoding_process._Pool, picture: Picture) -> None:
    awake(pool, picture)
    opened = open_image(b"\n" + picture("PNG", size=(40, 20)))
    assert opened.notes == ("bytes before the image were skipped (1)",)
    assert opened.size == (40, 20)
    with pytest.raises(ImageError, match="EMOVIZ_MAX_MEGAPIXELS"):
        open_image(picture("PNG", size=(40, 20)), Limits(max_pixels=799))
    with pytest.raises(ImageError, match="a side may have 39"):
        open_image(picture("PNG", size=(40, 20)), Limits(max_side=39))


def test_one_ordinary_image_starts_no_process_and_another_kind_does(
    pool: decoding_process._Pool, picture: Picture
) -> None:
    open_image(picture())
    assert not [*pool._idle, *pool._busy]
    assert not pool._starting
    open_image(picture("GIF"))
    assert len(pool._idle) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"crash", "ended the program"),
        (b"spin", "seconds to unpack, and was given up"),
        (b"sleep", "seconds to unpack, and was given up"),
        (b"grow", "not enough memory"),
        (b"bug", "it is damaged"),
    ],
)
@pytest.mark.usefixtures("hostile")
def test_a_hostile_file_costs_only_itself(
    pool: decoding_process._Pool, picture: Picture, data: bytes, words: str
) -> None:
    with pytest.raises(ImageError, match=words):
        open_image(data)
    assert open_image(picture("GIF", size=(30, 20))).size == (30, 20)
    assert not pool._busy


@pytest.mark.usefixtures("hostile")
def test_of_many_handed_over_at_once_each_is_answered_by_itself(
    pool: decoding_process._Pool, picture: Picture
) -> None:
    sound = [picture("GIF", size=(20 + n, 30), seed=n) for n in range(5)]
    unread = ImageError("there is no such file")
    files = [sound[0], b"crash", sound[1], unread, b"text", sound[2], b"", b"spin", *sound[3:]]
    found = list(open_small(iter(files), 16, Limits(max_bytes=10_000)))
    assert [str(item)[:24] if isinstance(item, ImageError) else item.size for item in found] == [
        (20, 30),
        "it is damaged in a way t",
        (21, 30),
        "there is no such file",
        "it is a text, whatever i",
        (22, 30),
        "the file is empty",
        "it took more than 0 seco",
        (23, 30),
        (24, 30),
    ]
    assert not pool._busy


@pytest.mark.usefixtures("hostile")
def test_what_ended_a_process_is_not_unpacked_here(
    pool: decoding_process._Pool, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = []
    monkeypatch.setattr(decoding_process, "decode_here", lambda *asked: here.append(asked))
    monkeypatch.setattr(decoding_process, "_ORDINARY", (b"crash", b"\xff\xd8\xff"))
    with pytest.raises(ImageError):
        open_image(b"a text wakes a process")
    found = list(open_small([picture(), b"crash", picture()], 16))
    assert [isinstance(item, ImageError) for item in found] == [False, True, False]
    assert not here
    monkeypatch.setattr(pool, "_is_usable", False)
    found = decoding_process.decode_many([b"crash"], Limits(), 32, 16)
    assert here  # nothing had ended a process before it


def test_after_an_error_here_nobody_gets_the_answers_of_others(
    pool: decoding_process._Pool, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    awake(pool, picture)
    files = [picture("GIF", size=(20 + n, 30), seed=n) for n in range(40)]
    real, asked = Image.frombytes, []

    def short_of_memory(*values: object) -> Image.Image:
        asked.append(values)
        if len(asked) == 5:
            raise MemoryError
        return real(*values)

    monkeypatch.setattr(decoding_process.Image, "frombytes", short_of_memory)
    for _ in range(2):
        found = list(open_small(files, 16))
        sizes = [None if isinstance(item, ImageError) else item.size for item in found]
        assert sizes == [(20 + n, 30) for n in range(40)]


@pytest.mark.parametrize("count", [1, 64, 150])
def test_small_pictures_are_those_of_the_image(
    pool: decoding_process._Pool, picture: Picture, count: int
) -> None:
    files = [picture("JPEG", size=(200 + n, 150), seed=n) for n in range(count)]
    awake(pool, picture)
    for data, found in zip(files, open_small(files, 32), strict=True):
        assert not isinstance(found, ImageError)
        whole = open_image(data, short_side=64)
        assert (found.sha256, found.size) == (whole.sha256, whole.size)
        small = whole.pixels.resize((32, 32), Image.Resampling.BOX, reducing_gap=2.0)
        assert np.array_equal(found.pixels, small)


@pytest.mark.usefixtures("hostile")
def test_what_a_library_prints_does_not_come_between_the_answers(picture: Picture) -> None:
    with pytest.raises(ImageError, match=r"no image of a kind|a text"):
        open_image(b"print")
    assert open_image(picture("GIF", size=(30, 20))).size == (30, 20)


def test_a_process_that_was_killed_while_idle_is_replaced(
    pool: decoding_process._Pool, picture: Picture
) -> None:
    awake(pool, picture)
    for worker in pool._idle:
        os.kill(worker._process.pid, signal.SIGTERM)
        worker._process.wait()
    assert open_image(picture("GIF", size=(30, 20))).size == (30, 20)


def test_without_processes_images_are_unpacked_here(
    pool: decoding_process._Pool, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding_process, "_COMMAND", "raise SystemExit(1)")
    assert open_image(picture("GIF", size=(30, 20))).size == (30, 20)
    assert not pool._is_usable


def test_a_process_rests_after_many_images(
    pool: decoding_process._Pool, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = "from emoviz.data import decoding_process as p; p._RESTED = 3; p.serve()"
    monkeypatch.setattr(decoding_process, "_COMMAND", short)
    data = picture("GIF")
    pids = set()
    for _ in range(8):
        open_image(data)
        pids |= {worker._process.pid for worker in pool._idle}
    assert len(pids) >= 2


def test_a_large_program_has_processes_that_do_not_rest_at_once() -> None:
    """What Linux counts as a process's peak includes that of the one that started it."""
    code = """
import io
from PIL import Image
from emoviz.data import decoding_process
from emoviz.data.images import open_image
large = b"x" * 800_000_000
buffer = io.BytesIO(); Image.new("RGB", (9, 9)).save(buffer, "GIF")
for _ in range(3):
    open_image(buffer.getvalue())
    print(decoding_process._pool._idle[0]._process.pid)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(set(done.stdout.split())) == 1


def test_many_threads_get_their_own_images(pool: decoding_process._Pool, picture: Picture) -> None:
    wrong = []

    def read(side: int) -> None:
        for _ in range(20):
            if open_image(picture("GIF", size=(side, 9))).size != (side, 9):
                wrong.append(side)

    threads = [threading.Thread(target=read, args=(side,)) for side in range(10, 18)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(pool._idle) <= decoding_process._MOST


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_reads_images_of_its_own() -> None:
    code = """
import io, os, warnings
warnings.simplefilter("ignore")
from PIL import Image
from emoviz.data.images import open_image
buffer = io.BytesIO(); Image.new("RGB", (9, 9)).save(buffer, "GIF"); data = buffer.getvalue()
open_image(data)
child = os.fork()
assert open_image(data).size == (9, 9)
if child:
    assert os.waitpid(child, 0)[1] == 0
    assert open_image(data).size == (9, 9)
    print("well")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("well\n", "")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
def test_processes_end_with_the_one_that_started_them() -> None:
    code = """
import io, os, sys
from PIL import Image
from emoviz.data import decoding_process
from emoviz.data.images import open_image
buffer = io.BytesIO(); Image.new("RGB", (9, 9)).save(buffer, "GIF")
open_image(buffer.getvalue())
print(decoding_process._pool._idle[0]._process.pid, flush=True)
if sys.argv[1] == "kill":
    os.kill(os.getpid(), 9)
"""
    for end in ("exit", "kill"):
        done = subprocess.run([sys.executable, "-c", code, end], capture_output=True, text=True)
        assert done.stderr == ""
        pid = int(done.stdout)
        for _ in range(200):
            if not _runs(pid):
                break
            time.sleep(0.05)
        assert not _runs(pid)


def _runs(pid: int) -> bool:
    """Whether it runs, and is no zombie that nobody has waited for."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
