"""Why, in sentences: regions against a planted patch and a slow loop, words against timm's own."""

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from test_attribution import PLAIN, SIDE, RedCorner, planted

from emoviz.checkpoints import Card
from emoviz.inference.attribution import grey
from emoviz.inference.clauses import InWords, hide_regions, superpixels
from emoviz.inference.predict import softmax
from emoviz.labels import SADNESS2
from emoviz.models.backbones import _copy_by_order, _packaged_file
from emoviz.models.imagenet import GROUPS, SURE, load_naming
from emoviz.plots.explaining import numbered
from emoviz.settings import PROJECT_ROOT

CARD = Card("red", "Red", "", SADNESS2, {}, PLAIN)


def told(image: np.ndarray, **given: object) -> InWords:
    return hide_regions(RedCorner(), image, CARD, **given).about(CARD.taxonomy.names[0])  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 4, 9, 100])
def test_every_pixel_is_in_one_region_and_none_is_tiny(count: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    for image in (noise, np.zeros((60, 80, 3), np.uint8)):
        masks = superpixels(image, count)
        assert min(count, 5) - 4 <= len(masks) <= min(count, 25)
        assert (np.sum(masks, axis=0) == 1).all()
        assert min(mask.mean() for mask in masks) > 0.015
        assert masks[0][:20].any(), "the first lies at the top"


def test_the_region_that_matters_comes_first_and_says_what_was_tried() -> None:
    image, engine = planted(), RedCorner()
    found = told(image)
    first = found.clauses[0]
    assert first.region[8:24, 32:48].mean() > 0.9, "the planted red"
    assert first.place in ("top", "upper right")
    whole = softmax(engine.run(image[None]).logits, 1.0)[0, 0]
    for clause in found.clauses:
        hidden = image.copy()
        hidden[clause.region] = grey(PLAIN)
        alone = softmax(engine.run(hidden[None]).logits, 1.0)[0, 0]
        assert clause.without == pytest.approx(alone)
        assert clause.effect == pytest.approx(whole - alone)
    strengths = [abs(clause.effect) for clause in found.clauses]
    assert strengths == sorted(strengths, reverse=True)
    heat = found.heat()
    assert heat.values[16, 40] == pytest.approx(first.effect)
    lines = found.lines()
    assert lines[0] == f"{CARD.taxonomy.names[0]}, estimated {100 * whole:.0f} %."
    assert f"Without it the estimate is {100 * first.without:.0f} %" in lines[1]
    assert "less" in lines[1]


def test_where_nothing_matters_it_says_so_and_words_stand_where_they_are_sure() -> None:
    plain = np.full((SIDE, SIDE, 3), 128, np.uint8)
    (line,) = told(plain).lines()
    assert "no single region matters" in line
    seen: list[tuple[int, ...]] = []

    def naming(pictures: object) -> list[tuple[str, float] | None]:
        seen.extend(picture.shape for picture in pictures)  # type: ignore[attr-defined]
        return [("alp", 0.83), *[None] * (len(seen) - 1)]

    found = told(planted(), naming=naming)
    words = {clause.number: clause.looks_like for clause in found.clauses}
    assert words == {n: ("alp", 0.83) if n == 1 else None for n in words}
    assert len(seen) == len(words)
    assert all(1 < rows <= SIDE and 1 < columns <= SIDE for rows, columns, _ in seen)
    clause = next(clause for clause in found.clauses if clause.number == 1)
    assert "taken for “alp”, 83 %" in clause.words()


def test_names_are_those_of_the_network_as_timm_builds_it() -> None:
    name = "tf_efficientnet_lite2"
    file = _packaged_file(name)
    assert file is not None
    theirs = timm.create_model(name, num_classes=1000).eval()
    values = torch.load(file, map_location="cpu", weights_only=True).values()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), values, strict=True)))
    picture = Image.open(PROJECT_ROOT / "sample_data" / "images" / "koala.jpg").convert("RGB")
    small = np.asarray(picture.resize((260, 260), Image.Resampling.BICUBIC))
    with torch.no_grad():
        batch = (torch.from_numpy(small.copy()).permute(2, 0, 1)[None].float() / 255 - 0.5) / 0.5
        shares = torch.softmax(theirs(batch), dim=1)[0]
    ((word, share),) = (found for found in load_naming()([small]) if found)
    assert share == pytest.approx(float(shares.max()), abs=1e-4)
    assert share >= SURE
    assert word == "koala"
    assert word == timm.data.ImageNetInfo().index_to_description(int(shares.argmax())).split(",")[0]
    animals = [timm.data.ImageNetInfo().index_to_description(i) for i in (0, 397)]
    assert "tench" in animals[0]
    assert "puffer" in animals[1]
    assert GROUPS["an animal"] == ((0, 397),)
    with pytest.raises(Exception, match="holds"):
        _copy_by_order(torch.nn.Linear(1, 1), file)


def test_numbers_stand_in_their_regions() -> None:
    picture = Image.new("RGB", (120, 80), "grey")
    left = np.zeros((40, 60), bool)
    left[:, :30] = True
    made = np.asarray(numbered(picture, {1: left, 2: ~left}))
    assert made.shape == (80, 120, 3)
    changed = (made != 128).any(axis=2)
    assert changed[30:50, 20:40].any()
    assert changed[30:50, 80:100].any()
    assert not changed[5:20, 5:50].any()
