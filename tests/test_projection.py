"""Maps: the same tomorrow, sensible for any number of vectors, kept safely, open to new images."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from emoviz.analysis.arrays import vectors_digest
from emoviz.analysis.projection import (
    DEFAULTS,
    METHODS,
    Projection,
    fit,
    fit_projection,
    load_projection,
    pca,
    place,
    projection_key,
    save_projection,
)
from emoviz.errors import AnalysisError

QUICK: dict[str, dict[str, Any]] = {
    "umap": {"n_epochs": 20},
    "tsne": {"max_iter": 250, "perplexity": 5},
    "pca": {},
}


def blobs(size: int, width: int = 6, classes: int = 3, seed: int = 0) -> np.ndarray:
    """Well separated groups; row k belongs to group k % classes."""
    rng = np.random.default_rng(seed)
    middles = 8 * rng.normal(size=(classes, width))
    return (middles[np.arange(size) % classes] + rng.normal(size=(size, width))).astype(np.float32)


def quick(u: Any, method: str, dimensions: int = 2, **arguments: Any) -> Projection:
    return fit_projection(u, method, dimensions, settings=QUICK[method], **arguments)


# Maps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("method", METHODS)
def test_same_arguments_give_the_same_map(method: str, dimensions: int) -> None:
    u = blobs(40)
    one, other = quick(u, method, dimensions, seed=3), quick(u, method, dimensions, seed=3)
    assert one.coordinates.shape == (40, dimensions)
    assert one.coordinates.dtype == np.float32
    assert np.isfinite(one.coordinates).all()
    np.testing.assert_array_equal(one.coordinates, other.coordinates)


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_another_seed_gives_another_map(method: str) -> None:
    u = blobs(60)
    one, other = quick(u, method, seed=1), quick(u, method, seed=2)
    assert not np.array_equal(one.coordinates, other.coordinates)


@pytest.mark.parametrize("method", METHODS)
def test_neighbours_in_u_are_neighbours_on_the_map(method: str) -> None:
    u = blobs(100)
    found = fit_projection(u, method).coordinates
    assert trustworthiness(u, found, n_neighbors=10) > 0.75
    mixed = np.random.default_rng(0).permutation(found)
    assert trustworthiness(u, mixed, n_neighbors=10) < 0.6


def test_a_graph_in_pieces_is_drawn_the_same_each_time() -> None:
    """Separate islands, where umap-learn's own start from the spectrum differs from run to run."""
    u = np.random.default_rng(0).normal(size=(300, 5)) + 100 * np.repeat(np.eye(5), 60, axis=0)
    one, other = quick(u, "umap"), quick(u, "umap")
    np.testing.assert_array_equal(one.coordinates, other.coordinates)


def test_a_map_tells_how_it_was_made() -> None:
    u = blobs(40)
    found = quick(u, "umap", 3, seed=7)
    assert (found.method, found.dimensions, found.seed, len(found)) == ("umap", 3, 7, 40)
    assert found.settings["n_neighbors"] == DEFAULTS["umap"]["n_neighbors"]
    assert found.settings["n_epochs"] == 20
    assert {"umap-learn", "numba"} <= set(found.versions)
    assert found.source == vectors_digest(u)
    assert found.note == ""


def test_components_equal_scikit_learn() -> None:
    for size, width in ((50, 6), (5, 30)):  # more rows than columns, and fewer
        u = np.random.default_rng(1).normal(size=(size, width)) * np.linspace(3, 1, width)
        found = fit_projection(u, "pca", 3)
        model = PCA(3, svd_solver="full").fit(u)
        wanted = model.transform(u)
        signs = np.sign((found.coordinates * wanted).sum(axis=0))
        np.testing.assert_allclose(found.coordinates, wanted * signs, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found.variance, model.explained_variance_ratio_)


# Any number of vectors -----------------------------------------------------------------------

FEW: dict[str, np.ndarray] = {
    "one": blobs(1),
    "two": blobs(2),
    "three": blobs(3),
    "nine": blobs(9),
    "all alike": np.full((40, 5), 0.1),
    "two different": np.repeat(np.eye(2), 20, axis=0),
    "one column": np.linspace(0, 1, 9)[:, None],
}


def test_components_in_blocks_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    u = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    whole = fit_projection(u, "pca", 3)
    monkeypatch.setattr(pca, "_ROWS", 7)
    parts = fit_projection(u, "pca", 3)
    np.testing.assert_allclose(parts.coordinates, whole.coordinates, atol=1e-5)
    np.testing.assert_allclose(parts.variance, whole.variance)


def test_of_very_many_vectors_some_are_drawn_and_the_others_laid_among_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    kinds = np.repeat([0, 1], 60)
    u = rng.normal(size=(120, 5)).astype(np.float32)
    u[kinds == 1, 0] += 40
    for name, value in (("_ALL_UP_TO", 100), ("_DRAWN", 40), ("_PLACED", 50)):
        monkeypatch.setattr(fit, name, value)
    made = fit_projection(u, "tsne", settings={"perplexity": 5, "max_iter": 250})
    assert made.note == (
        "t-SNE of 40 of the 120 vectors; each other one lies among its nearest of them."
    )
    assert np.isfinite(made.coordinates).all()
    apart = np.linalg.norm(made.coordinates[:, None] - made.coordinates, axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (kinds[apart.argmin(axis=1)] == kinds).all()


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("method", ["umap", "tsne"])
@pytest.mark.parametrize("case", FEW)
def test_too_few_vectors_are_drawn_by_components_and_a_note_says_so(
    case: str, method: str, dimensions: int
) -> None:
    u = FEW[case]
    found = quick(u, method, dimensions)
    assert found.method == "pca"
    assert f"there {'is 1' if len(np.unique(u, axis=0)) == 1 else 'are'}" in found.note
    assert found.note.startswith({"umap": "UMAP", "tsne": "t-SNE"}[method])
    np.testing.assert_array_equal(
        found.coordinates, fit_projection(u, "pca", dimensions).coordinates
    )
    assert np.isfinite(found.coordinates).all()


def test_equal_vectors_lie_on_one_point() -> None:
    found = fit_projection(np.full((7, 5), 0.1), "pca")
    assert (found.coordinates == 0).all()
    assert found.variance == (0.0, 0.0)


def test_a_single_column_lies_in_a_row() -> None:
    found = fit_projection(np.array([[3.0], [1.0], [2.0]]), "pca", 3)
    assert found.coordinates.tolist() == [[1, 0, 0], [-1, 0, 0], [0, 0, 0]]
    assert found.variance == (1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "u",
    [
        blobs(10),
        np.linspace(0, 1, 30)[:, None],
        np.repeat(blobs(11), 9, axis=0),
        blobs(30) * 1e20,
        blobs(30) * 1e-20,
        np.vstack([blobs(30), np.full((1, 6), 1e6)]),
        blobs(30).astype(np.float64),
        np.arange(60).reshape(30, 2),
    ],
    ids=["ten", "column", "copies", "huge", "tiny", "one far away", "float64", "whole numbers"],
)
@pytest.mark.parametrize("method", METHODS)
def test_unusual_vectors_are_drawn(method: str, u: np.ndarray) -> None:
    found = quick(u, method)
    assert found.method == method
    assert found.coordinates.shape == (len(u), 2)
    assert np.isfinite(found.coordinates).all()


def test_settings_that_few_vectors_do_not_allow_are_lowered_and_a_note_says_so() -> None:
    few = fit_projection(blobs(12), "umap", settings={"n_epochs": 5})
    assert few.settings["n_neighbors"] == 11
    assert few.note == "There are 12 vectors, so n_neighbors is 11, not 15."
    assert fit_projection(blobs(16), "umap", settings={"n_epochs": 5}).note == ""
    tsne = fit_projection(blobs(31), "tsne", settings={"max_iter": 250})
    assert tsne.settings["perplexity"] == 10
    assert "perplexity is 10, not 30" in tsne.note


# Progress and stopping -----------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_progress_rises_to_one(method: str) -> None:
    seen: list[tuple[float, str]] = []
    settings = {"umap": {"n_epochs": 1000}, "tsne": {"max_iter": 250}, "pca": {}}[method]
    fit_projection(
        blobs(200 if method == "umap" else 50),
        method,
        settings=settings,
        progress=lambda share, words: seen.append((share, words)),
    )
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert all(words for _, words in seen)
    rounds = [words for _, words in seen if "round" in words]
    assert len(rounds) >= {"umap": 1, "tsne": 5, "pca": 0}[method]


@pytest.mark.parametrize("method", ["umap", "tsne"])
@pytest.mark.parametrize("phase", ["neighbours", "round"])
def test_an_exception_of_progress_stops_the_work(method: str, phase: str) -> None:
    import numba

    class StopError(Exception):
        pass

    def stop(share: float, words: str) -> None:
        if phase in words:
            raise StopError

    threads, output = numba.get_num_threads(), sys.stdout
    with pytest.raises(StopError):
        quick(blobs(60), method, progress=stop)
    assert numba.get_num_threads() == threads
    assert sys.stdout is output
    assert quick(blobs(60), method).coordinates.shape == (60, 2)  # and the next one goes well


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    for method in METHODS:
        quick(blobs(40), method)
    assert capfd.readouterr() == ("", "")


def test_what_others_print_meanwhile_still_comes_out(capsys: pytest.CaptureFixture[str]) -> None:
    def tell(share: float, words: str) -> None:
        if words.endswith("round 250 of 250"):
            print("from elsewhere")

    quick(blobs(40), "tsne", progress=tell)
    assert capsys.readouterr().out == "from elsewhere\n"


# Bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "isomap"}, "Methods: umap, tsne, pca"),
        ({"dimensions": 4}, "4 dimensions"),
        ({"seed": -1}, "seed -1"),
        ({"settings": {"neighbours": 3}}, "no setting neighbours"),
        ({"settings": {"n_neighbors": 1}}, "n_neighbors is 1; wanted a whole number from 2"),
        ({"settings": {"n_neighbors": 2.5}}, "n_neighbors is 2.5"),
        ({"settings": {"n_neighbors": "15"}}, "n_neighbors is '15'"),
        ({"settings": {"n_neighbors": True}}, "n_neighbors is True"),
        ({"settings": {"min_dist": float("nan")}}, "min_dist is nan"),
        ({"method": "pca", "settings": {"min_dist": 0.1}}, "Its settings: none"),
    ],
)
def test_impossible_arguments_are_refused(arguments: dict[str, Any], words: str) -> None:
    for ask in (fit_projection, projection_key):
        with pytest.raises(AnalysisError, match=words):
            ask(blobs(20), **arguments)


def test_vectors_that_are_no_numbers_are_refused() -> None:
    u = blobs(20)
    u[[3, 8], 1] = np.nan, np.inf
    for method in METHODS:
        with pytest.raises(AnalysisError, match=r"2 of 20 rows of u .* the first is row 3"):
            fit_projection(u, method)
    for wrong in (np.zeros((0, 4)), np.zeros((3, 0)), np.zeros(5), np.array([["a"]])):
        with pytest.raises(AnalysisError, match="anted"):
            fit_projection(wrong)


# Keeping -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_kept_map_comes_back_whole(method: str, tmp_path: Path) -> None:
    made = quick(blobs(30), method, 3, seed=5)
    save_projection(tmp_path / "folder" / "map.npz", made)
    back = load_projection(tmp_path / "folder" / "map.npz")
    np.testing.assert_array_equal(back.coordinates, made.coordinates)
    blank = np.zeros((0, 0), np.float32)
    assert dataclasses.replace(back, coordinates=blank).__dict__ | {"coordinates": 0} == (
        dataclasses.replace(made, coordinates=blank).__dict__ | {"coordinates": 0}
    )
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["map.npz"]


def test_a_missing_map_is_told() -> None:
    with pytest.raises(AnalysisError, match="There is no map"):
        load_projection(Path("/nowhere/map.npz"))


def test_damaged_and_foreign_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "map.npz"
    save_projection(path, quick(blobs(30), "pca"))
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[whole.index(b"coordinates.npy") + 250] ^= 255
    text, one_array = b"x,y\n1,2\n", _npy(np.zeros(3))
    for content in (b"", whole[: len(whole) // 2], bytes(flipped), text, one_array):
        path.write_bytes(content)
        with pytest.raises(AnalysisError, match="no map that can be read"):
            load_projection(path)


def _npy(array: np.ndarray) -> bytes:
    import io

    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize(
    "change", ["format", "shape", "kind", "nan", "field", "no about", "pickle"]
)
def test_maps_that_do_not_fit_are_told(change: str, tmp_path: Path) -> None:
    path = tmp_path / "map.npz"
    save_projection(path, quick(blobs(30), "pca"))
    with np.load(path) as arrays:
        about, coordinates = str(arrays["about"]), arrays["coordinates"]
    kept: dict[str, Any] = {"about": np.array(about), "coordinates": coordinates}
    if change == "format":
        kept["about"] = np.array(about.replace('"format": 1', '"format": 99'))
    elif change == "field":
        kept["about"] = np.array(about.replace('"seed"', '"sead"'))
    elif change == "no about":
        del kept["about"]
    elif change == "shape":
        kept["coordinates"] = np.zeros((30, 5), np.float32)
    elif change == "kind":
        kept["coordinates"] = coordinates.astype(np.float64)
    elif change == "nan":
        kept["coordinates"] = np.where(np.arange(30)[:, None] == 2, np.nan, coordinates)
    else:
        kept["coordinates"] = np.array([object()])
    with path.open("wb") as stream:
        np.savez(stream, **kept)
    with pytest.raises(AnalysisError, match="no map that can be read"):
        load_projection(path)


def test_keys_tell_maps_apart() -> None:
    u = blobs(20)
    other = u.copy()
    other[3, 2] += 1e-3
    keys = [
        projection_key(u),
        projection_key(other),
        projection_key(u, dimensions=3),
        projection_key(u, seed=1),
        projection_key(u, "pca"),
        projection_key(u, settings={"min_dist": 0.2}),
        projection_key(u.reshape(40, 3)),
        projection_key(u.astype(np.float64)),
    ]
    assert len(set(keys)) == len(keys)
    assert projection_key(u, settings={"n_neighbors": 15}) == keys[0]  # the default, spelled out
    assert projection_key(u.copy()) == keys[0]
    assert keys[0].startswith("umap-2d-")
    assert keys[0].endswith(".npz")


def test_another_version_gives_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    from emoviz.analysis.projection import fit

    before = projection_key(blobs(20))
    monkeypatch.setattr(fit, "version", lambda name: "99")
    assert projection_key(blobs(20)) != before


# Placing new images --------------------------------------------------------------------------


def slow_place(u: np.ndarray, coordinates: np.ndarray, new: np.ndarray, k: int) -> np.ndarray:
    distances = [float(np.linalg.norm(row.astype(float) - new)) for row in u]
    order = sorted(range(len(u)), key=lambda i: (distances[i], i))[:k]
    if distances[order[0]] == 0:
        return coordinates[order[0]]
    weights = [1 / distances[i] for i in order]
    return sum(w * coordinates[i] for w, i in zip(weights, order, strict=True)) / sum(weights)


@pytest.mark.parametrize("count", [1, 20])
def test_places_equal_a_slow_loop(count: int) -> None:
    u, new = blobs(60), blobs(count, seed=2)
    coordinates = np.random.default_rng(3).normal(size=(60, 3))
    found = place(u, coordinates, new, 7)
    assert found.shape == (count, 3)
    for m in range(count):
        np.testing.assert_allclose(found[m], slow_place(u, coordinates, new[m], 7), rtol=1e-6)


@pytest.mark.parametrize("count", [1, 30])
def test_a_vector_of_the_map_lands_on_its_own_point(count: int) -> None:
    u = blobs(60)
    u[50] = u[2]  # of equal vectors the first
    coordinates = np.random.default_rng(3).normal(size=(60, 2))
    np.testing.assert_array_equal(place(u, coordinates, u[:count]), coordinates[:count])
    np.testing.assert_array_equal(place(u, coordinates, u[50]), coordinates[2:3])


def test_new_images_land_among_their_kind() -> None:
    u, new = blobs(150), blobs(9, seed=0) + 0.1
    coordinates = fit_projection(u, "umap").coordinates
    middles = np.array([coordinates[np.arange(150) % 3 == c].mean(axis=0) for c in range(3)])
    for m, spot in enumerate(place(u, coordinates, new)):
        assert np.linalg.norm(middles - spot, axis=1).argmin() == m % 3


def test_fewer_vectors_than_neighbours_suffice() -> None:
    assert place([[0.0], [2.0]], [[0.0, 0.0], [4.0, 0.0]], [0.5], 15).tolist() == [[1.0, 0.0]]


def test_a_map_of_other_vectors_is_refused() -> None:
    with pytest.raises(AnalysisError, match="3 places and there are 4 vectors"):
        place(np.zeros((4, 2)), np.zeros((3, 2)), np.zeros(2))


# A fresh process -----------------------------------------------------------------------------


@pytest.mark.slow
def test_tomorrow_and_after_warming_up_the_map_is_the_same(tmp_path: Path) -> None:
    u = blobs(50)
    np.save(tmp_path / "u.npy", u)
    code = f"""
import sys
import numpy as np
from emoviz.analysis.projection import fit_projection, projection_key, warm_up
assert not {{"umap", "sklearn", "numba"}} & set(sys.modules)
warm_up()
u = np.load({str(tmp_path / "u.npy")!r})
made = fit_projection(u, "umap", settings={{"n_epochs": 20}})
np.save({str(tmp_path / "map.npy")!r}, made.coordinates)
print(projection_key(u))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "map.npy"), quick(u, "umap").coordinates)
    assert done.stdout.strip() == projection_key(u)
