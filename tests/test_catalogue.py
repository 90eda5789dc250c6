"""The list of recipes: its numbers are those of networks that are really built."""

import json

import pytest

from emoviz.cli import main
from emoviz.labels import get_taxonomy
from emoviz.models.network import EmotionNetwork
from emoviz.training.catalogue import describe
from emoviz.training.prepare import network_config
from emoviz.training.recipe_loading import RECIPES, load_recipe, read_recipe

SMALL = """
taxonomy: emotion6
network: {backbone: test_efficientnet, layers: [1, blocks.2.0], dropout: 0.3, parallel: 2}
"""


def test_numbers_are_those_of_the_network_with_its_arrays() -> None:
    recipe = read_recipe(SMALL)
    network = EmotionNetwork(network_config(recipe))
    entry = describe(recipe)
    assert entry.parameters == sum(array.numel() for array in network.parameters())
    assert entry.width == network.width
    assert (entry.backbone, entry.classes) == ("test_efficientnet", 6)
    assert entry.to_dict()["layers"] == [1, "blocks.2.0"]


def test_every_shipped_recipe_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == sorted(path.stem for path in RECIPES.glob("*.yaml"))
    assert all(
        list(row) == ["name", "backbone", "layers", "width", "classes", "parameters"]
        for row in rows
    )
    by_name = {row["name"]: row for row in rows}
    for name, row in by_name.items():
        assert row["classes"] == len(get_taxonomy(load_recipe(name).taxonomy))
    widths = {name: row["width"] for name, row in by_name.items()}
    assert widths["dissertation"] == 24 + 32 + 80
    assert [widths[f"sadness-k{k}"] for k in (2, 3, 4, 5)] == [112, 168, 224, 280]
    assert widths["zhang"] == 2048
    assert (widths["dissertation-v0"], widths["sadness-baseline"]) == (1280, 1408)
    fusion = by_name["faces-fusion"]
    assert fusion["backbone"] == "resnet18 + vgg19_bn"
    assert fusion["width"] == 512 + 4096
    parts = (by_name["faces-resnet18"], by_name["faces-vgg19"])
    assert fusion["parameters"] == sum(part["parameters"] for part in parts)


def test_the_list_may_be_read_by_people(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "emoviz.training.catalogue.catalogue", lambda: [describe(read_recipe(SMALL + "name: mine"))]
    )
    assert main(["recipes"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("mine: test_efficientnet, Gram layers 1, blocks.2.0, width 56, 6 classes")
