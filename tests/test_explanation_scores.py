"""Methods that explain, scored on a whole collection: against loops, and against disorder."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from app_pages import drawn_tables
from scipy.stats import spearmanr, t
from streamlit.testing.v1 import AppTest

from emoviz.checkpoints import Checkpoint
from emoviz.cli import main
from emoviz.data.images import open_image
from emoviz.data.reading import open_dataset
from emoviz.experiments.explanation_scores import (
    MethodScore,
    in_disorder,
    score_explanations,
)
from emoviz.experiments.statistics import Spread, spread
from emoviz.inference.attribution import grad_cam
from emoviz.inference.explainer import load_explainer
from emoviz.inference.faithfulness import faithfulness, random_map
from emoviz.inference.predict import load_model
from emoviz.settings import Settings


@pytest.mark.slow
def test_scores_are_those_of_each_image_and_are_kept(
    tiny_checkpoint: Checkpoint,
    settings: Settings,
    tmp_path: Path,
    make_table: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Grad-CAM's areas by the tested function for one image; the broken one is a problem."""
    table = make_table(tmp_path / "set", ["awe", "fear"] * 3)
    (table.parent / "0.jpg").write_bytes(b"broken")
    collection = open_dataset(table, settings)
    model = load_model(tiny_checkpoint, settings)
    found = score_explanations(model, collection, settings, 32, 0, ["gradcam"])
    assert (found["found"], found["taken"], found["of"]) == (6, 5, 6)
    assert [row["what"] for row in found["problems"]] == ["0.jpg"]
    explainer = load_explainer(tiny_checkpoint, settings)
    other = in_disorder(explainer, 0)
    card, areas, alike = tiny_checkpoint.card, [], []
    for record in collection.records[1:]:
        pixels = card.preprocessing.to_array(open_image(record.path.read_bytes()).pixels)
        index = int(model.engine.run(pixels[None]).logits[0].argmax())
        heat = grad_cam(explainer, pixels, [index], explainer.stages[-1])[0].values
        curves = faithfulness(
            model.engine, pixels, heat, index, card.preprocessing, card.temperature, rivals=1
        )
        areas.append((curves.area(curves.deletion), curves.area(curves.insertion)))
        disordered = grad_cam(other, pixels, [index], other.stages[-1])[0].values
        if np.ptp(heat) and np.ptp(disordered):
            alike.append(spearmanr(heat.ravel(), disordered.ravel()).statistic)
    row = found["methods"]["gradcam"]
    for name, values in zip(("deletion_area", "insertion_area"), np.transpose(areas), strict=True):
        assert row[name]["mean"] == pytest.approx(values.mean(), abs=1e-6)
        ends = t.interval(0.95, 4, values.mean(), values.std(ddof=1) / 5**0.5)
        assert (row[name]["low"], row[name]["high"]) == pytest.approx(ends, abs=1e-6)
    if alike:
        assert row["likeness"]["mean"] == pytest.approx(np.mean(alike), abs=1e-5)
        assert row["likeness"]["n"] == len(alike)
    else:
        assert row["likeness"] is None

    given = ["explain", str(table), "--score", "--checkpoint", "tiny", "--images", "3"]
    assert main([*given, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["methods"]) == {"gradcam", "ig", "occlusion", "words"}

    def never(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("emoviz.experiments.explanation_scores._Scorer.of", never)
    assert main(given) == 0
    assert "occlusion" in capsys.readouterr().out
    assert main([*given[:-1], "1"]) == 2
    assert main([*given, "--method", "split"]) == 2


def test_weights_in_disorder_are_the_same_numbers_elsewhere(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    explainer = load_explainer(tiny_checkpoint, settings)
    before = {name: value.clone() for name, value in explainer.network.named_parameters()}
    other = dict(in_disorder(explainer, 0).network.named_parameters())
    again = dict(in_disorder(explainer, 0).network.named_parameters())
    moved = 0
    for name, value in explainer.network.named_parameters():
        assert torch.equal(value, before[name])
        assert torch.equal(other[name].flatten().sort()[0], value.flatten().sort()[0])
        assert torch.equal(other[name], again[name])
        moved += not torch.equal(other[name], value)
    assert moved > 10


def scored(deletion: float, insertion: float, likeness: float | None = 0.0) -> MethodScore:
    rng = np.random.default_rng(0)

    def around(mean: float) -> Spread:
        found = spread(dict(enumerate((mean + 0.01 * rng.normal(size=20)).tolist())))
        assert found is not None
        return found

    alike = None if likeness is None else around(likeness)
    return MethodScore(around(deletion), around(insertion), around(0.3), around(0.5), alike)


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (scored(0.0, -0.1), "no better than random maps"),
        (scored(0.2, -0.1), "One of the two tests"),
        (scored(0.2, 0.1), "Both tests speak for it"),
        (scored(0.2, 0.1, None), "Both tests speak for it"),
        (scored(0.2, 0.1, 0.9), "hardly change when the weights"),
    ],
)
def test_what_may_be_claimed_follows_from_the_intervals(score: MethodScore, words: str) -> None:
    assert words in score.claim


def test_random_maps_gain_nothing_over_random_maps() -> None:
    """The gain has no built-in sign: a smooth network of nothing but brightness, random maps."""

    class Bright:
        description = "brightness"

        def run(self, images: np.ndarray) -> object:
            from emoviz.inference.engines import RawOutput

            light = images.mean(axis=(1, 2, 3), dtype=np.float32)[:, None] / 50
            logits = np.hstack([light, -light]).astype(np.float32)
            return RawOutput(logits, light, light, light)

    from emoviz.data.preprocessing import Preprocessing

    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
    gains = []
    for seed in range(60):
        heat = random_map(32, np.random.default_rng(1000 + seed))
        found = faithfulness(Bright(), image, heat, 0, Preprocessing(32), seed=seed)  # type: ignore[arg-type]
        gains.append(found.better_deletion)
    gain = spread(dict(enumerate(gains)))
    assert gain is not None
    assert gain.interval is not None
    assert gain.interval[0] < 0 < gain.interval[1]


def test_the_page_shows_points_with_their_intervals() -> None:
    def script() -> None:
        from emoviz.ui.textures import scored
        from emoviz.ui.textures.regions import METHODS

        row = {"mean": 0.12, "low": 0.05, "high": 0.19, "n": 7}
        alone = {"mean": 0.2, "low": None, "high": None, "n": 1}
        method = {"deletion": row, "insertion": alone, "likeness": None, "claim": "So it is."}
        problems = [{"what": "a.jpg", "reason": "damaged"}]
        found = {"methods": {"ig": method}, "taken": 7, "of": 560, "set": "mine"}
        scored._table({**found, "problems": problems}, METHODS)

    app = AppTest.from_function(script, default_timeout=60).run()
    assert not app.exception
    cells = drawn_tables(app)[0].iloc[0].tolist()
    assert cells == [
        "Integrated gradients",
        "+12.0 (+5.0 to +19.0)",
        "not known",
        "not known",
        "So it is.",
    ]
    assert "7 images of 560 of mine; 1 image could not be read" in app.caption[0].value
