"""Recipes: what is named when something in the file cannot be."""

from pathlib import Path

import pytest

from emoviz.errors import RecipeError
from emoviz.training.recipe import RECIPES, load_recipe, read_recipe

NAMES = sorted(path.stem for path in RECIPES.glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_recipe_loads_and_round_trips(name: str) -> None:
    import yaml

    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.title
    again = read_recipe(yaml.safe_dump({**recipe.to_dict(), "extends": ""}))
    assert again.to_dict() == {**recipe.to_dict(), "extends": ""}


def test_the_baseline_is_the_model_with_beta_zero_and_nothing_else() -> None:
    model, baseline = load_recipe("mikels8").to_dict(), load_recipe("mikels8-baseline").to_dict()
    assert model["loss"]["beta"] > 0
    assert baseline["loss"]["beta"] == 0
    texts = {"name", "extends", "title", "summary"}
    model["loss"]["beta"] = 0.0
    same = {key for key in model if model[key] == baseline[key]}
    assert set(model) - same <= texts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nlos:\n  beta: 1", r"line 2: the recipe has no key 'los'; allowed: .*loss"),
        ("loss:\n  bta: 1", r"line 2: loss has no key 'bta'; allowed: beta, lambda, margin"),
        ("loss:\n  margin: 0", "line 2: margin is 0; allowed: above 0"),
        ("loss: {beta: -1}", "line 1: beta is -1; allowed: at least 0"),
        ("phases:\n- epochs: 0", "line 2: epochs is 0; allowed: at least 1"),
        ("phases:\n- epochs: many", "line 2: epochs is 'many'; wanted: a whole number"),
        ("phases:\n- {train: some}", "line 2: train is 'some'; allowed: heads, tail, all"),
        ("phases: 3", "line 1: phases must be a list"),
        ("input: 3", "line 1: input must be a block of keys"),
        ("network: {layers: [1, x]}", "line 1: layers is 'x'; wanted: a whole number"),
        ("network: {pretrained: 1}", "pretrained is '1'; wanted: true or false"),
        ("data:\n  sets:\n    moods: {}", "line 3: 'moods' is no taxonomy; mikels8"),
        ("taxonomy: moods", "taxonomy is 'moods'; allowed: mikels8"),
        ("loss: [", "is not valid YAML"),
        ("", "is empty"),
        ("extends: nothing", "There is no recipe 'nothing'"),
        ("- a", "the recipe must be a block"),
    ],
)
def test_what_does_not_fit_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        read_recipe(text)


def test_numbers_may_be_written_with_exponents() -> None:
    assert read_recipe("phases: [{learning_rate: 2e-3}]").phases[0].learning_rate == 0.002


def test_an_extended_recipe_keeps_what_it_does_not_mention(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: mikels8\nname: mine\nloss: {margin: 3}\n")
    mine, parent = load_recipe(str(path)), load_recipe("mikels8")
    assert (mine.name, mine.loss.margin, mine.loss.beta) == ("mine", 3.0, parent.loss.beta)
    assert mine.phases == parent.phases


def test_a_recipe_that_extends_itself_is_told(tmp_path: Path) -> None:
    path = tmp_path / "loop.yaml"
    path.write_text(f"extends: {path}\n")
    with pytest.raises(RecipeError, match="extends itself"):
        load_recipe(str(path))
