"""Folders and ZIP archives as people have them, and as an attacker would make them."""

import io
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emoviz.data.images import Limits, open_image
from emoviz.data.reading import expand, sent_sources
from emoviz.data.sources import (
    MAX_MEMBERS,
    ImageSource,
    from_bytes,
    from_path,
    refusal,
    walk_files,
    walk_images,
)
from emoviz.errors import ImageError
from emoviz.settings import Settings

Picture = Callable[..., bytes]
LIMITS = Limits(max_bytes=5_000_000, max_pixels=1_000_000)
CAPPED = Settings(max_file_mb=5, max_megapixels=1, max_archive_mb=1000)


def names(sources: list[ImageSource]) -> list[str]:
    return [source.name for source in sources]


def outcome(source: ImageSource) -> str:
    """``read`` for a source that gives an image, else its reason."""
    try:
        open_image(source.read(), LIMITS)
    except ImageError as error:
        return str(error)
    return "read"


def make_zip(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = 8) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data, compress_type=method)
    return buffer.getvalue()


def outcomes(archive: bytes, settings: Settings = CAPPED) -> dict[str, str]:
    """What a ZIP gives, without the texts beside its images."""
    found = {source.name: outcome(source) for source in sent_sources("z.zip", archive, settings)}
    return {name: words for name, words in found.items() if "by its name" not in words}


@pytest.fixture
def folder(tmp_path: Path, picture: Picture) -> Path:
    root = tmp_path / "images"
    for name in ("b.jpg", "a.PNG", "sub/z.webp", "sub/deep/y.jpeg", "A.jpg", "notes.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(picture())
    return root


# Folders -------------------------------------------------------------------------------------


def test_folder_gives_its_images_sorted_and_those_below_last(folder: Path) -> None:
    found = [path.relative_to(folder).as_posix() for path in walk_images(folder)]
    assert found == ["A.jpg", "a.PNG", "b.jpg", "sub/z.webp", "sub/deep/y.jpeg"]


def test_hidden_files_and_folders_are_left_out(folder: Path, picture: Picture) -> None:
    before = list(walk_images(folder))
    (folder / ".thumbnails").mkdir()
    (folder / ".thumbnails" / "t.jpg").write_bytes(picture())
    (folder / ".hidden.jpg").write_bytes(picture())
    (folder / "._b.jpg").write_bytes(b"resource fork")
    assert list(walk_images(folder)) == before


def test_links_in_a_circle_are_told(folder: Path) -> None:
    before = list(walk_images(folder))
    (folder / "sub" / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "self").symlink_to("self")
    assert list(walk_images(folder)) == before
    told = {path.name: reason for path, reason in walk_files(folder) if reason}
    assert told["loop"] == "it is a link to a folder that is here already"
    assert told["self"] == "it is a link that leads nowhere"


def test_links_to_folders_are_followed_once(folder: Path, tmp_path: Path, picture: Picture) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "e.jpg").write_bytes(picture())
    (folder / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (folder / "again").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    found = {path.relative_to(folder).as_posix(): reason for path, reason in walk_files(folder)}
    assert found["again/e.jpg"] == ""
    assert found["link"] == "it is a link to a folder that is here already"


def test_link_to_an_image_is_read_and_a_dangling_one_is_refused(folder: Path) -> None:
    (folder / "c.jpg").symlink_to(folder / "b.jpg")
    (folder / "d.jpg").symlink_to(folder / "gone.jpg")
    results = {Path(s.name).name: outcome(s) for s in expand([folder], CAPPED)}
    assert results["c.jpg"] == "read"
    assert results["d.jpg"] == "it is a link that leads nowhere"


def test_a_file_that_is_closed_to_us_is_no_link(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "link.jpg").symlink_to(folder / "b.jpg")
    there = Path.stat

    def closed(path: Path, **how: bool) -> os.stat_result:
        if path.name in ("b.jpg", "link.jpg"):
            raise PermissionError(13, "Permission denied")
        return there(path, **how)

    monkeypatch.setattr(Path, "stat", closed)
    told = {path.name: reason for path, reason in walk_files(folder)}
    assert told["b.jpg"] == told["link.jpg"] == "it cannot be read: Permission denied"


def test_empty_folder_is_mentioned(tmp_path: Path) -> None:
    (source,) = expand([tmp_path], CAPPED)
    assert source.name == str(tmp_path)
    assert outcome(source) == "it holds no images"


def test_order_asked_for_is_kept_and_nothing_goes_unmentioned(folder: Path) -> None:
    asked = [folder / "b.jpg", folder / "gone.jpg", folder / "sub", folder / "a.PNG"]
    sources = expand(asked, CAPPED)
    wanted = ["b.jpg", "gone.jpg", "sub/z.webp", "sub/deep/y.jpeg", "a.PNG"]
    assert names(sources) == [str(folder / name) for name in wanted]
    assert [outcome(source) for source in sources] == [
        "read",
        "there is no such file",
        *["read"] * 3,
    ]


def test_file_asked_for_by_name_is_taken_whatever_its_suffix(folder: Path) -> None:
    sources = expand([folder / "notes.txt"], CAPPED)
    assert [outcome(source) for source in sources] == ["read"]


def test_files_are_read_only_when_their_turn_comes(folder: Path) -> None:
    sources = expand([folder], CAPPED)
    (folder / "b.jpg").unlink()
    assert [outcome(s) for s in sources].count("there is no such file") == 1


def test_sources_over_bytes_paths_and_refusals(folder: Path, picture: Picture) -> None:
    assert from_bytes("dropped.jpg", picture()).read() == picture()
    assert from_path(folder / "b.jpg", LIMITS).name == str(folder / "b.jpg")
    assert from_path(folder / "b.jpg", LIMITS, "b").name == "b"
    with pytest.raises(ImageError, match="because"):
        refusal("x", "because").read()


# ZIP archives --------------------------------------------------------------------------------


def test_images_of_a_zip_are_read_in_the_order_of_the_archive(picture: Picture) -> None:
    archive = make_zip(
        ("b.jpg", picture()), ("readme.txt", b"x"), ("in/", b""), ("in/a.PNG", picture("PNG"))
    )
    assert outcomes(archive) == {"z.zip/b.jpg": "read", "z.zip/in/a.PNG": "read"}


def test_zip_on_disk_is_expanded_and_nothing_is_unpacked_beside_it(
    tmp_path: Path, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "set.ZIP"
    path.write_bytes(make_zip(("a.jpg", picture()), ("../b.jpg", picture()), ("c.jpg", b"x")))
    aside = tmp_path / "tmp"
    aside.mkdir()
    monkeypatch.setenv("TMPDIR", str(aside))
    monkeypatch.chdir(aside)
    sources = expand([path], CAPPED)
    assert names(sources) == [f"{path}/a.jpg", f"{path}/c.jpg", f"{path}/../b.jpg"]
    assert outcome(sources[0]) == "read"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["set.ZIP", "tmp"]
    assert list(aside.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["../up.jpg", "a/../../up.jpg", "/etc/root.jpg", "C:\\x\\y.jpg", "C:y.jpg", "..\\..\\up.jpg"],
)
def test_name_that_leads_out_of_the_zip_is_refused_and_spoils_nothing(
    picture: Picture, name: str
) -> None:
    info = zipfile.ZipInfo()
    info.filename = name  # unaltered: the constructor would tidy it
    results = list(outcomes(make_zip((info, picture()), ("good.jpg", picture()))).values())
    assert results == ["read", "its name leads out of the ZIP; it is left out for safety"]


def test_member_without_a_name_is_left_out(picture: Picture) -> None:
    info = zipfile.ZipInfo()
    info.filename = "\x00a.jpg"  # names end at a zero byte
    assert outcomes(make_zip((info, picture()), ("b.jpg", picture()))) == {"z.zip/b.jpg": "read"}


def test_link_inside_a_zip_is_refused(picture: Picture) -> None:
    link = zipfile.ZipInfo("link.jpg")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    results = outcomes(make_zip((link, b"/etc/passwd"), ("good.jpg", picture())))
    assert results == {"z.zip/link.jpg": "it is a link, not an image", "z.zip/good.jpg": "read"}


def with_field(archive: bytes, name: str, offset: int, value: bytes) -> bytes:
    """Overwrite a field of one member's entry in the central directory."""
    at = archive.rindex(name.encode()) - 46
    assert archive[at : at + 4] == b"PK\x01\x02"
    return archive[: at + offset] + value + archive[at + offset + len(value) :]


def test_encrypted_member_is_refused(picture: Picture) -> None:
    archive = make_zip(("secret.jpg", picture()), ("good.jpg", picture()))
    marked = with_field(archive, "secret.jpg", 8, b"\x01\x00")
    assert outcomes(marked) == {"z.zip/secret.jpg": "it is encrypted", "z.zip/good.jpg": "read"}


def test_bomb_is_refused_by_its_ratio(picture: Picture) -> None:
    archive = make_zip(("bomb.bmp", bytes(40_000_000)), ("good.jpg", picture()))
    assert len(archive) < 100_000
    results = outcomes(archive, Settings(max_file_mb=1000, max_megapixels=1))
    assert "ZIP bomb" in results["z.zip/bomb.bmp"]
    assert results["z.zip/good.jpg"] == "read"


def test_member_over_the_file_limit_is_refused(picture: Picture) -> None:
    results = outcomes(make_zip(("big.bmp", bytes(6_000_000)), ("good.jpg", picture())))
    assert results["z.zip/big.bmp"] == "it would unpack to 6 MB"
    assert results["z.zip/good.jpg"] == "read"


def test_zip_over_the_total_is_refused_whole_and_other_files_do_not_count(
    picture: Picture,
) -> None:
    data = picture("BMP", size=(100, 100))
    archive = make_zip(*((f"{i}.bmp", data) for i in range(10)), ("film.mp4", bytes(10**6)))
    total = 10 * len(data)
    enough = Settings(max_archive_mb=total / 1e6)
    assert len(sent_sources("z.zip", archive, enough)) == 11
    (source,) = sent_sources("z.zip", archive, Settings(max_archive_mb=(total - 1) / 1e6))
    assert "EMOVIZ_MAX_ARCHIVE_MB" in outcome(source)


@pytest.mark.parametrize("claimed", [1, 10, 4_000_000])
def test_name_and_size_that_lie_in_the_directory_spoil_only_that_member(
    picture: Picture, claimed: int
) -> None:
    """The bytes read are bounded by the claim, which is checked; so a liar gains nothing."""
    archive = make_zip(("liar.bmp", bytes(4_500_000)), ("good.jpg", picture()))
    lied = with_field(archive, "liar.bmp", 24, struct.pack("<I", claimed))
    results = outcomes(lied)
    assert results["z.zip/liar.bmp"] != "read"
    assert results["z.zip/good.jpg"] == "read"


def test_member_that_claims_more_than_it_has_is_read(picture: Picture) -> None:
    archive = make_zip(("a.jpg", picture()))
    lied = with_field(archive, "a.jpg", 24, struct.pack("<I", 4_000_000))
    assert outcomes(lied) == {"z.zip/a.jpg": "read"}


def test_zip_inside_a_zip_is_named_and_not_opened(picture: Picture) -> None:
    inner = make_zip(("inner.jpg", picture()))
    assert outcomes(make_zip(("inner.zip", inner), ("good.jpg", picture()))) == {
        "z.zip/good.jpg": "read",
        "z.zip/inner.zip": "it is a ZIP of its own; unpack it, or bring it in by itself",
    }
    assert "ZIP archive" in outcomes(make_zip(("inner.jpg", inner)))["z.zip/inner.jpg"]


def test_litter_of_a_mac_is_left_out(picture: Picture) -> None:
    archive = make_zip(
        ("a.jpg", picture()), ("__MACOSX/._a.jpg", b"x"), ("__MACOSX/b.jpg", b"x"), (".c.jpg", b"x")
    )
    assert outcomes(archive) == {"z.zip/a.jpg": "read"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_members_of_one_name_the_first_is_read_and_the_second_told(picture: Picture) -> None:
    archive = make_zip(("a.jpg", picture(seed=1)), ("a.jpg", picture(seed=2)))
    first, second = sent_sources("z.zip", archive, CAPPED)
    assert first.read() == picture(seed=1)
    assert "two files of this name" in outcome(second)


def test_zip_without_images_is_mentioned() -> None:
    (told,) = sent_sources("z.zip", make_zip(("readme.txt", b"x")), CAPPED)
    assert outcome(told) == "it is no image by its name (.txt)"
    assert outcomes(make_zip()) == {"z.zip": "it holds no images"}


def test_zip_of_too_many_members_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emoviz.data.sources.MAX_MEMBERS", 3)
    archive = make_zip(*((f"{i}.jpg", b"x") for i in range(4)))
    assert outcomes(archive) == {"z.zip": "the ZIP lists 4 files; at most 3"}
    assert MAX_MEMBERS >= 100_000


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip" * 50, b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_zip_is_refused(data: bytes) -> None:
    (reason,) = outcomes(data).values()
    assert reason == "it is not a ZIP archive, or a damaged one"


def test_truncated_zip_is_refused(picture: Picture) -> None:
    archive = make_zip(*((f"{i}.jpg", picture(seed=i)) for i in range(5)))
    for share in (0.1, 0.5, 0.9, 0.999):
        (reason,) = outcomes(archive[: int(len(archive) * share)]).values()
        assert "damaged" in reason


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_damaged_member_costs_only_itself(picture: Picture, method: int) -> None:
    archive = make_zip(
        ("a.jpg", picture(seed=1)),
        ("bad.jpg", picture(seed=2)),
        ("c.jpg", picture()),
        method=method,
    )
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        info = opened.getinfo("bad.jpg")
    start = info.header_offset + 30 + len("bad.jpg")
    for at in (start + 9, start + info.compress_size // 3, start + info.compress_size // 2):
        damaged = bytearray(archive)
        damaged[at] ^= 0x5A
        results = outcomes(bytes(damaged))
        assert results["z.zip/a.jpg"] == results["z.zip/c.jpg"] == "read"
        assert "cannot be unpacked" in results["z.zip/bad.jpg"]


def test_unknown_way_of_packing_is_told(picture: Picture) -> None:
    archive = make_zip(("a.jpg", picture()))
    assert (
        "packed in a way" in outcomes(with_field(archive, "a.jpg", 10, b"\x63\x00"))["z.zip/a.jpg"]
    )


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_corrupted_zip_gives_images_or_reasons_and_nothing_else(
    picture: Picture, method: int
) -> None:
    whole = make_zip(
        *((f"{i}.jpg", picture(size=(16, 12), seed=i)) for i in range(3)), method=method
    )
    rng = np.random.default_rng(method)
    read = refused = 0
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(int(rng.integers(1, 6))):
            data[int(rng.integers(0, len(data)))] = int(rng.integers(0, 256))
        for result in outcomes(bytes(data)).values():
            read += result == "read"
            refused += result != "read"
    assert read > 50
    assert refused > 50


def test_zip_that_is_emptied_is_refused_member_by_member(tmp_path: Path, picture: Picture) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(make_zip(("a.jpg", picture())))
    (source,) = expand([path], CAPPED)
    os.truncate(path, 0)
    assert "cannot be unpacked" in outcome(source)


def test_name_that_is_no_utf8_is_read(tmp_path: Path, picture: Picture) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\xfe.jpg"
    with open(path, "wb") as stream:  # noqa: PTH123  a name that only bytes can hold
        stream.write(picture())
    (source,) = expand([tmp_path], CAPPED)
    assert outcome(source) == "read"
