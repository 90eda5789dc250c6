"""Texture pictures: nearer to the original than noise and another image; files; cancelling."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from test_parts import explainer_of, untrained

from emoviz.analysis.textures import (
    carried_shares,
    channel_order,
    correlations,
    gram_distance,
    strongest_patches,
    style_distances,
)
from emoviz.checkpoints import Checkpoint, open_checkpoint
from emoviz.cli import main
from emoviz.errors import SettingsError
from emoviz.inference.explainer import Explainer, load_explainer
from emoviz.inference.texture import gram_loss, gram_matrices, synthesise
from emoviz.inference.texture_pictures import (
    TextureRequest,
    make_pictures,
    read_pictures,
    texture_folder,
)
from emoviz.settings import Settings


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    """Untrained weights serve: random filters have Gram matrices too."""
    return explainer_of(untrained((1, 2)), 64)


@pytest.fixture(scope="module")
def trained() -> Explainer:
    """A shipped checkpoint: what a texture picture looks like hangs on trained filters."""
    return load_explainer(open_checkpoint("mikels8", Settings()), Settings())


def stripes(side: int = 64, period: int = 8, seed: int = 0) -> np.ndarray:
    """Slanted stripes of two colours."""
    rows, columns = np.mgrid[:side, :side]
    wave = ((rows + 2 * columns + 3 * seed) % period < period // 2)[..., None]
    return np.where(wave, (220, 120, 30), (30, 60, 140)).astype(np.uint8)


def painting(name: str, side: int = 128) -> np.ndarray:
    """One of the shipped ones, squashed to a square."""
    with Image.open(Settings().sample_data / "images" / f"{name}.jpg") as image:
        return np.asarray(image.convert("RGB").resize((side, side)))


def noise(side: int = 64) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (side, side, 3), dtype=np.uint8)


def last(explainer: Explainer, image: np.ndarray, **options: Any) -> np.ndarray:
    picture = list(synthesise(explainer, image, **options))[-1].picture
    assert picture is not None
    return picture


def apart(explainer: Explainer, a: np.ndarray, b: np.ndarray) -> list[float]:
    pairs = zip(gram_matrices(explainer, a[None]), gram_matrices(explainer, b[None]), strict=True)
    return [float(gram_distance(A, B)[0]) for A, B in pairs]


# Synthesis ---------------------------------------------------------------------------


def test_a_texture_picture_is_nearer_than_noise_and_another_painting(trained: Explainer) -> None:
    image, other = painting("vangogh_church_at_auvers"), painting("hokusai_great_wave")
    made = apart(trained, image, last(trained, image, steps=60))
    for near, far in zip(made, apart(trained, image, noise(128)), strict=True):
        assert near < 0.5 * far
    for near, far in zip(made, apart(trained, image, other), strict=True):
        assert near < 0.5 * far


def test_the_loss_falls_and_every_step_is_told(trained: Explainer) -> None:
    image = painting("vangogh_church_at_auvers")
    steps = list(synthesise(trained, image, steps=40, every=20))
    assert [step.number for step in steps] == list(range(1, 41))
    assert steps[-1].loss < 0.15 * steps[0].loss
    assert [step.number for step in steps if step.picture is not None] == [20, 40]


def test_the_seed_decides_and_nothing_else(explainer: Explainer) -> None:
    one, same = (last(explainer, stripes(), steps=5, seed=1) for _ in range(2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, last(explainer, stripes(), steps=5, seed=2))


def test_one_layer_alone_is_matched(trained: Explainer) -> None:
    made = last(trained, stripes(), layers=trained.gram_layers[:1], steps=40)
    assert apart(trained, stripes(), made)[0] < 0.3


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_one_colour_image_gives_its_colour(explainer: Explainer, value: int) -> None:
    made = last(explainer, np.full((64, 64, 3), value, np.uint8), steps=10)
    assert np.abs(made.astype(int) - value).mean() < 6


def test_the_loss_is_the_formula() -> None:
    random = np.random.default_rng(0)
    A, B = (random.normal(size=(2, 1, 3, 3)).astype(np.float32) for _ in range(2))
    wanted = 0.0
    for layer in range(2):
        above = sum(
            (A[layer, 0, i, j] - B[layer, 0, i, j]) ** 2 for i in range(3) for j in range(3)
        )
        below = sum(B[layer, 0, i, j] ** 2 for i in range(3) for j in range(3))
        wanted += above / below
    found = gram_loss(list(torch.from_numpy(A)), list(torch.from_numpy(B)))
    assert float(found) == pytest.approx(wanted, rel=1e-5)


def test_a_plain_backbone_has_shallow_layers_to_match() -> None:
    plain = explainer_of(untrained(()), 64)
    assert [layer.name for layer in plain.gram_layers] == ["stage 1", "stage 2", "stage 3"]
    assert last(plain, stripes(), steps=3).shape == (64, 64, 3)


def test_maps_of_named_parts_are_the_backbones_own() -> None:
    named = explainer_of(untrained(("blocks.1.0",)), 64)
    x = named.to_input(stripes()[None])
    with torch.no_grad():
        (ours,) = named.maps(x, named.gram_layers)
        (theirs,) = named.backbones[0](x).maps
    torch.testing.assert_close(ours, theirs)


# Files ---------------------------------------------------------------------------


def test_pictures_are_written_and_found_again(explainer: Explainer, tmp_path: Path) -> None:
    request = TextureRequest(128, steps=12, each_layer=True)
    told: list[tuple[int, int]] = []
    image = Image.fromarray(stripes())
    made = make_pictures(explainer, image, request, tmp_path, None, lambda *a: told.append(a))
    assert told[-1] == (36, 36)
    found = read_pictures(tmp_path)
    assert found.is_complete
    assert [picture.layers for picture in found.pictures] == [
        ("stage 1", "stage 2"),
        ("stage 1",),
        ("stage 2",),
    ]
    for picture, other in zip(found.pictures, made.pictures, strict=True):
        assert picture.losses == pytest.approx(other.losses, rel=1e-6)
        with Image.open(tmp_path / picture.file) as opened:
            assert opened.size == (128, 128)
    with (tmp_path / "loss.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 12


def test_half_made_and_damaged_folders_are_not_complete(
    explainer: Explainer, tmp_path: Path
) -> None:
    assert not read_pictures(tmp_path / "none").is_complete
    request = TextureRequest(128, steps=10)
    make_pictures(explainer, Image.fromarray(stripes()), request, tmp_path)
    values = json.loads((tmp_path / "texture.json").read_text())
    values["pictures"][0]["done"] = False
    (tmp_path / "texture.json").write_text(json.dumps(values))
    assert not read_pictures(tmp_path).is_complete
    (tmp_path / "texture.json").write_text("{")
    assert read_pictures(tmp_path).pictures == ()


@pytest.mark.parametrize("size", [127, 513])
def test_impossible_sizes_are_refused(size: int) -> None:
    with pytest.raises(SettingsError, match="128 to 512"):
        TextureRequest(size).check()


def test_the_store_tells_images_checkpoints_and_requests_apart(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    requests = [TextureRequest(), TextureRequest(size=128), TextureRequest(seed=1)]
    folders = {texture_folder(settings, tiny_checkpoint, "a", request) for request in requests}
    folders.add(texture_folder(settings, tiny_checkpoint, "b", TextureRequest()))
    assert len(folders) == 4


# The command line ---------------------------------------------------------------------------


@pytest.fixture
def image_file(tmp_path: Path) -> Path:
    path = tmp_path / "stripes.png"
    Image.fromarray(stripes(96)).save(path)
    return path


def said(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    assert main([str(word) for word in (*words, "--format", "json")]) == 0
    return json.loads(capsys.readouterr().out)


def test_texture_verb(
    tiny_checkpoint: Checkpoint,
    image_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    words = ("texture", image_file, "--checkpoint", "tiny", "--size", 128, "--steps", 10)
    found = said(capsys, *words, "--out", out)
    assert found["pictures"][0]["steps"] == 10
    assert (out / "texture.png").is_file()
    assert (out / "loss.csv").is_file()
    first = said(capsys, *words)
    before = (Path(first["out"]) / "texture.png").stat().st_mtime_ns
    assert said(capsys, *words) == first
    assert (Path(first["out"]) / "texture.png").stat().st_mtime_ns == before


def test_explain_verb_split(
    tiny_checkpoint: Checkpoint, image_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("explain", image_file, "--checkpoint", "tiny", "--method", "split")
    found = said(capsys, *words)
    assert set(found["logits"]) == set(tiny_checkpoint.card.taxonomy.names)
    for name, logit in found["logits"].items():
        total = sum(part[name] for part in found["parts"].values())
        assert total == pytest.approx(logit, abs=1e-4)
        for module, two in found["branches"].items():
            both = two["gram"][name] + two["conv"][name]
            assert both == pytest.approx(found["parts"][module][name], abs=1e-6)
    assert set(said(capsys, *words, "--class", "fear")["logits"]) == {"fear"}


@pytest.mark.parametrize("method", ["gradcam", "ig", "occlusion"])
def test_explain_verb_regions(
    method: str,
    tiny_checkpoint: Checkpoint,
    image_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("explain", image_file, "--checkpoint", "tiny", "--method", method, "--class", "awe")
    found = said(capsys, *words, "--out", tmp_path / method)
    assert found["class"] == "awe"
    heat = np.load(tmp_path / method / "heat.npy")
    place = found["strongest"]
    assert heat[place["y"], place["x"]] == pytest.approx(place["value"])
    assert heat.shape == (96, 96)
    assert (tmp_path / method / "overlay.png").is_file()
    assert ("completeness" in found) == (method == "ig")


def test_what_cannot_be_explained_is_said(
    tiny_checkpoint: Checkpoint, image_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", str(image_file), "--checkpoint", "tiny", "--class", "joy"]) == 2
    assert "has no class 'joy'" in capsys.readouterr().err
    assert main(["explain", "gone.jpg", "--checkpoint", "tiny"]) == 2
    assert "there is no such file" in capsys.readouterr().err


@pytest.mark.parametrize("size", [(16, 16), (4000, 20)])
def test_odd_sizes_are_explained(
    size: tuple[int, int],
    tiny_checkpoint: Checkpoint,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "odd.png"
    Image.new("RGB", size, (90, 20, 20)).save(path)
    assert said(capsys, "explain", path, "--checkpoint", "tiny", "--method", "gradcam")["class"]


# Arrays ---------------------------------------------------------------------------


def test_gram_distance_on_hand_made_cases() -> None:
    A = np.array([[2.0, 1.0], [1.0, 2.0]])
    assert gram_distance(A, A) == 0.0
    one, other = np.diag([1.0, 0.0]), np.diag([0.0, 1.0])
    assert gram_distance(one, other) == pytest.approx(1.0)
    wanted = np.sqrt(((A - 2 * A) ** 2).sum() / ((A**2).sum() + (4 * A**2).sum()))
    assert gram_distance(A, 2 * A) == pytest.approx(wanted)
    assert gram_distance(np.zeros((2, 2)), np.zeros((2, 2))) == 0.0


def test_style_distances_find_the_same_stripes(explainer: Explainer) -> None:
    many = np.stack([noise(), stripes(seed=1), np.full((64, 64, 3), 99, np.uint8)])
    one = [G[0] for G in gram_matrices(explainer, stripes()[None])]
    distances = style_distances(one, gram_matrices(explainer, many))
    assert distances.argmin() == 1
    assert distances.shape == (3,)


def test_channel_order_brings_groups_together() -> None:
    random = np.random.default_rng(2)
    sources = random.normal(size=(2, 500))
    groups = np.array([0, 1, 0, 1, 1, 0, 0, 1])
    F = sources[groups] + 0.1 * random.normal(size=(8, 500))
    order = channel_order(F @ F.T / 500)
    assert sorted(order) == list(range(8))
    assert np.abs(np.diff(groups[order])).sum() == 1
    assert channel_order(np.ones((1, 1))).tolist() == [0]


def test_correlations_are_numpys_for_centred_channels() -> None:
    F = np.random.default_rng(0).normal(size=(5, 40))
    F -= F.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(correlations(F @ F.T), np.corrcoef(F), atol=1e-12)
    assert correlations(np.diag([1.0, 0.0]))[1].tolist() == [0.0, 0.0]


def test_patches_are_cut_where_the_channel_answers() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[48:, :16] = 255
    maps = np.zeros((2, 4, 4))
    maps[0, 3, 0] = -5.0  # strength counts, whatever its sign
    maps[1, 0, 3] = 1.0
    patches = strongest_patches(maps, image, 16)
    assert patches.shape == (2, 16, 16, 3)
    assert patches[0].min() == 255
    assert patches[1].max() == 0


def test_carried_shares_on_a_hand_made_case() -> None:
    random = np.random.default_rng(4)
    style, content = random.normal(size=(2, 50, 3))
    parts = {"style": 2 * style, "content": content, "bias": np.ones((50, 3))}
    shares = carried_shares(parts)
    np.testing.assert_allclose(sum(shares.values()), 1.0)
    np.testing.assert_allclose(shares["bias"], 0.0, atol=1e-12)
    y = 2 * style + content + 1
    y = y - y.mean(axis=1, keepdims=True)
    own = 2 * style - 2 * style.mean(axis=1, keepdims=True)
    for c in range(3):
        wanted = np.cov(own[:, c], y[:, c])[0, 1] / np.var(y[:, c], ddof=1)
        assert shares["style"][c] == pytest.approx(wanted)


def test_an_explainer_of_a_checkpoint_asks_for_no_gradients(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    found = load_explainer(tiny_checkpoint, settings)
    assert not any(weight.requires_grad for weight in found.network.parameters())
