"""Recipes: what is named when something in the file cannot be."""

from pathlib import Path

import pytest

from emoviz.errors import RecipeError
from emoviz.training.recipe import Recipe
from emoviz.training.recipe_loading import RECIPES, apply_settings, load_recipe, read_recipe

NAMES = sorted(path.stem for path in RECIPES.glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_recipe_loads_and_round_trips(name: str) -> None:
    import yaml

    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.title
    assert 20 < len(recipe.summary) < 300
    assert recipe.licence
    assert recipe.intended_use
    assert recipe.limits
    assert read_recipe(yaml.safe_dump(recipe.to_dict())) == recipe


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
        ("loss: {beta: .inf}", "line 1: beta is inf; it must be a finite number"),
        ("phases:\n- epochs: 0", "line 2: epochs is 0; allowed: at least 1"),
        ("phases:\n- epochs: many", "line 2: epochs is 'many'; wanted: a whole number"),
        ("phases:\n- {train: some}", "line 2: train is 'some'; allowed: heads, tail, all"),
        ("phases: 3", "line 1: phases must be a list"),
        ("input: 3", "line 1: input must be a block of keys"),
        (
            "network: {layers: [1, 0.5]}",
            "line 1: layers is '0.5'; wanted: a whole number or a text",
        ),
        ("network: {pretrained: 1}", "pretrained is '1'; wanted: true or false"),
        ("data:\n  sets:\n    moods: {}", "line 3: 'moods' is no taxonomy; mikels8"),
        (
            f"name: {'字' * 80}",
            f"name is '{'字' * 80}', which its network's folder cannot have",
        ),
        (
            "name: ../../elsewhere",
            "name is '../../elsewhere', which its network's folder cannot have",
        ),
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


def test_a_recipe_that_builds_on_itself_is_told(tmp_path: Path) -> None:
    path = tmp_path / "loop.yaml"
    path.write_text(f"extends: {path}\n")
    with pytest.raises(RecipeError, match="extends or fuses itself"):
        load_recipe(str(path))
    path.write_text(f"extends: faces-fusion\nfuse: [faces-vgg19, {path}]\n")
    with pytest.raises(RecipeError, match="extends or fuses itself"):
        load_recipe(str(path))


# What does not go together -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "input: {size: 48, ten_crop: 49}",
            "input.ten_crop is 49; allowed: at most input.size, 48",
        ),
        ("augment: {crop: window}", "augment.crop is window, whose side is input.ten_crop"),
        ("augment: {zoom: 0.1, zoom_least: 0.2}", "augment.zoom_least is 0.2, above zoom 0.1"),
        ("augment: {mixup: 0.2}\nphases: [{train: heads}]", "augment.mixup needs a phase"),
        ("network: {layers: [], parallel: 2}", "network.layers is empty"),
        ("network: {layers: [], module: gathered}", "network.layers is empty"),
        ("network: {layers: [], reduce: 8}", "network.layers is empty"),
        ("network: {layers: []}\nphases: [{train: tail}]", "these are empty"),
        ("network: {layers: [a]}\nphases: [{train: tail}]", "stages by their numbers"),
        ("network: {module: gathered, parallel: 2}", "parallel must be 1"),
        ("network: {module: gathered, standardise: true}", "gathered, which cannot"),
        ("network: {reduce: 8, standardise: true}", "network.reduce cannot"),
        ("network: {reduce: 8}\nphases: [{train: heads}]", "network.reduce needs phases"),
        ("network: {layers: [], standardise: true}", "needs loss.beta 0"),
        ("network: {kinds: [a, b], linear_start: [1, 1]}", "linear_start needs kinds_from: both"),
        (
            "network: {kinds: [a, b], kinds_from: both, linear_start: [1]}",
            "above 0 for each of network.kinds",
        ),
        (
            "network: {kinds: [a], kinds_from: both, linear_start: [1]}\nphases: [{train: all}]",
            "fitted to kept features",
        ),
        ("network: {kinds_from: both}", "which needs network.kinds"),
        ("phases: []", "phases is an empty list"),
        ("fuse: [faces-vgg19]", "fuse names one recipe; wanted: two or more"),
        ("extends: faces-fusion\nfuse: [faces-vgg19, nothing]", "There is no recipe 'nothing'"),
        ("fuse: [faces-vgg19, mikels8]", "'faces-vgg19' of fuse has another taxonomy"),
        ("taxonomy: fer7\nfuse: [faces-vgg19, faces-resnet18]", "has another input"),
        ("extends: faces-fusion\nfuse: [faces-fusion, faces-vgg19]", "itself a fusion"),
    ],
)
def test_what_does_not_go_together_is_named(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        read_recipe(text)


def test_a_conflict_that_comes_with_the_parent_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: faces-vgg19\ninput: {ten_crop: 0}\n")
    with pytest.raises(RecipeError, match=r"^mine\.yaml: augment\.crop is window"):
        load_recipe(str(path))


def test_lines_are_those_of_the_file_also_where_it_extends_another() -> None:
    with pytest.raises(RecipeError, match="mine, line 3: margin is 0"):
        read_recipe("extends: mikels8\nloss:\n  margin: 0", "mine")


def test_words_that_yaml_takes_for_values_stay_texts(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: mikels8\nname: 007\ntitle: yes\n")
    mine = load_recipe(str(path))
    assert (mine.name, mine.title) == ("007", "yes")


# Single values on the command line -----------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "keys", "value"),
    [
        ("loss.beta=0.25", ("loss", "beta"), 0.25),
        ("loss.lambda=100", ("loss", "lambda_"), 100.0),
        ("network.layers=[1, 2]", ("network", "layers"), (1, 2)),
        ("network.layers=[]", ("network", "layers"), ()),
        ("network.layers.0=blocks.1.0", ("network", "layers"), ("blocks.1.0", 2, 3)),
        ("network.pretrained=false", ("network", "pretrained"), False),
        ("phases.0.epochs=3", ("phases", 0, "epochs"), 3),
        ("phases.0.learning_rate=2e-4", ("phases", 0, "learning_rate"), 2e-4),
        ("taxonomy=sadness2", ("taxonomy",), "sadness2"),
        ("title=A = b", ("title",), "A = b"),
        ("title=", ("title",), ""),
        ("seed=7", ("seed",), 7),
        ("data.sets.emotion6.weight=2", ("data", "sets", "emotion6", "weight"), 2.0),
        ("data.sets.webemo8.weight=2", ("data", "sets", "webemo8", "weight"), 2.0),
    ],
)
def test_one_value_is_changed_and_nothing_else(
    setting: str, keys: tuple[str | int, ...], value: object
) -> None:
    base = read_recipe("data: {sets: {emotion6: {sharpen: 2}}}")
    changed = apply_settings(base, [setting])
    found: object = changed
    for key in keys:
        found = found[key] if isinstance(found, tuple | dict) else getattr(found, str(key))
    assert found == value
    assert type(found) is type(value)
    top = str(keys[0])
    for name in Recipe.__dataclass_fields__:
        if name != top:
            assert getattr(changed, name) == getattr(base, name)
    assert changed.data.sets["emotion6"].sharpen == 2.0


def test_settings_follow_one_another_and_are_checked_together() -> None:
    base = load_recipe("faces-vgg19")
    changed = apply_settings(base, ["input.size=40", "input.ten_crop=36", "phases.0.epochs=300"])
    assert (changed.input.size, changed.input.ten_crop) == (40, 36)
    assert changed.phases[0].epochs == 300
    assert apply_settings(base, []) is base


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("loss.beta=-1", "--set loss.beta=-1: beta is -1; allowed: at least 0"),
        ("loss.beta=x", "--set loss.beta=x: beta is 'x'; wanted: a number"),
        ("loss.bta=1", "loss has no key 'bta'; allowed: beta, lambda, margin"),
        ("los.beta=1", "the recipe has no key 'los'; allowed: name, extends"),
        ("loss=1", "loss is a block; set one of its keys: beta, lambda"),
        ("loss.beta.x=1", "beta is a single value and has no keys"),
        ("loss.beta", "wanted: key=value, such as loss.beta=0.5"),
        ("=3", "wanted: key=value"),
        ("network.layers=[1", "'\\[1' is no YAML value"),
        ("network.layers=1", "layers must be a list"),
        ("network.module=added", "module is 'added'; allowed: additive, multiplicative"),
        ("phases.epochs=3", "phases is a list of 1; say which by its number, .* phases.0"),
        ("phases.1.epochs=3", "phases is a list of 1; say which"),
        ("phases.0=3", "phases is a block; set one of its keys: train, first"),
        ("data.sets=3", "sets is a block by taxonomy"),
        ("data.sets.moods.weight=2", "'moods' is no taxonomy"),
        ("taxonomy=moods", "--set taxonomy=moods: taxonomy is 'moods'; allowed: mikels8"),
        ("input.ten_crop=300", "--set input.ten_crop=300: input.ten_crop is 300; allowed"),
        ("extends=mikels8", "extends works in a recipe's file alone"),
    ],
)
def test_settings_that_cannot_be_are_told(setting: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        apply_settings(Recipe(), [setting])
    assert str(caught.value).startswith(f"--set {setting}: ")
    assert "line" not in str(caught.value)


# The papers' numbers -------------------------------------------------------------------------


def test_the_dissertations_recipe_has_its_numbers() -> None:
    """Chapter 4.4, equation 4.23 and Table 3.2."""
    recipe = load_recipe("dissertation")
    assert recipe.taxonomy == "mikels8"
    assert (recipe.network.backbone, recipe.network.layers) == ("tf_efficientnetv2_s", (1, 2, 3))
    assert (recipe.loss.beta, recipe.loss.lambda_, recipe.loss.margin) == (0.5, 1.0, 5.0)
    assert (recipe.input.size, recipe.input.fit) == (224, "squash")
    augment = recipe.augment
    assert (augment.randaugment_ops, augment.randaugment, augment.flip) == (2, 3, True)
    assert (augment.crop, augment.scale) == ("resized", 0.08)
    assert augment.ratio == pytest.approx(4 / 3)
    (phase,) = recipe.phases
    assert (phase.train, phase.epochs, phase.batch, phase.clip) == ("all", 20, 256, 5.0)
    assert (phase.optimiser, phase.momentum, phase.nesterov) == ("sgd", 0.9, False)
    assert (phase.learning_rate, phase.backbone_learning_rate) == (0.02, 0.02)
    assert (phase.schedule, phase.restart_epochs, phase.lowest_rate) == ("restarts", 5, 1e-4)
    assert (phase.weight_decay, phase.batch_norm, phase.per_device) == (0.0, "trained", False)
    network = recipe.network
    assert not network.standardise
    assert (network.dropout, network.gram_dropout, network.pooled_dropout) == (0, 0, 0)


@pytest.mark.parametrize("v", [0, 1, 2, 3, 4])
def test_chapter_five_counts_modules_on_nested_layers(v: int) -> None:
    recipe = load_recipe(f"dissertation-v{v}")
    assert len(recipe.network.layers) == v
    assert recipe.loss.beta == 0
    assert recipe.taxonomy == "sadness2"
    assert (recipe.data.validation, recipe.data.test) == (0.1, 0.1)
    assert recipe.phases == load_recipe("dissertation").phases
    if v > 1:
        assert set(recipe.network.layers) > set(
            load_recipe(f"dissertation-v{v - 1}").network.layers
        )


def test_the_dissertations_other_recipes_differ_where_they_must() -> None:
    whole, baseline = load_recipe("dissertation"), load_recipe("dissertation-baseline")
    caer = load_recipe("dissertation-caer")
    assert baseline.network == whole.network
    assert baseline.loss.beta == 0
    assert (caer.taxonomy, caer.phases[0].epochs, caer.loss) == ("caer7", 50, whole.loss)


@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_the_sadness_recipes_have_the_papers_numbers(k: int) -> None:
    """IJCCC 2024, section 4.2."""
    recipe = load_recipe(f"sadness-k{k}")
    network = recipe.network
    assert (network.backbone, network.module) == ("tf_efficientnetv2_b2", "multiplicative")
    assert (network.layers, network.parallel) == (("blocks.2.1.conv_pwl",), k)
    assert (network.pooled_dropout, network.pooled_activation) == (0.5, "leaky_relu")
    assert (recipe.taxonomy, recipe.input.size, recipe.loss.beta) == ("sadness2", 256, 0)
    assert (recipe.data.validation, recipe.data.test) == (0.1, 0.1)
    augment = recipe.augment
    assert (augment.randaugment_ops, augment.randaugment, augment.crop) == (3, 7, "none")
    (phase,) = recipe.phases
    assert (phase.optimiser, phase.learning_rate, phase.schedule) == ("adagrad", 0.002, "constant")
    assert (phase.batch, phase.per_device, phase.epochs) == (64, True, 25)
    baseline = load_recipe("sadness-baseline")
    assert (baseline.network.layers, baseline.network.pooled_dropout) == ((), 0.5)
    assert baseline.phases == recipe.phases


def test_zhangs_recipe_has_sixty_epochs_on_resnet() -> None:
    recipe = load_recipe("zhang")
    assert (recipe.network.backbone, recipe.network.module) == ("resnet50", "gathered")
    assert recipe.phases[0].epochs == 60
    assert (recipe.taxonomy, recipe.loss.beta) == ("sadness2", 0)


BACKBONES = {
    "resnet50": "resnet50",
    "xception": "legacy_xception",
    "v2s": "tf_efficientnetv2_s",
    "v2b0": "tf_efficientnetv2_b0",
    "v2b2": "tf_efficientnetv2_b2",
}


@pytest.mark.parametrize("short", BACKBONES)
def test_backbones_are_compared_with_two_recipes(short: str) -> None:
    """Table 3.6, and the poster: 150 x 150, Adagrad 0.001, split 70/15/15."""
    table, poster = load_recipe(f"backbone-{short}"), load_recipe(f"poster-{short}")
    for recipe in (table, poster):
        assert (recipe.network.backbone, recipe.network.layers) == (BACKBONES[short], ())
        assert recipe.loss.beta == 0
        assert recipe.network.pretrained
    assert table.phases == load_recipe("dissertation").phases
    assert (poster.input.size, poster.data.validation, poster.data.test) == (150, 0.15, 0.15)
    (phase,) = poster.phases
    assert (phase.optimiser, phase.learning_rate) == ("adagrad", 0.001)
    assert (poster.taxonomy, poster.augment.crop) == ("sadness2", "none")


def test_the_posters_control_has_no_pretraining() -> None:
    control, xception = load_recipe("poster-xception-untrained"), load_recipe("poster-xception")
    assert not control.network.pretrained
    assert control.phases == xception.phases


@pytest.mark.parametrize("name", ["text-xception", "text-b0"])
def test_the_text_filters_have_the_papers_numbers(name: str) -> None:
    """Dissertation 3.5.1: zoom 5 to 15 %, rotation 0.6 pi, flips both ways, 70/15/15."""
    recipe = load_recipe(name)
    augment = recipe.augment
    assert (augment.zoom_least, augment.zoom) == (0.05, 0.15)
    assert augment.rotate == pytest.approx(0.6 * 180)
    assert augment.flip
    assert augment.vertical_flip
    assert (recipe.data.validation, recipe.data.test) == (0.15, 0.15)
    assert (recipe.phases[0].optimiser, recipe.phases[0].learning_rate) == ("sgd", 0.001)
    assert recipe.taxonomy == "text2"


@pytest.mark.parametrize("name", ["faces-resnet18", "faces-vgg19"])
def test_the_face_recipes_have_the_thesiss_numbers(name: str) -> None:
    recipe = load_recipe(name)
    assert not recipe.network.pretrained
    assert (recipe.input.size, recipe.input.ten_crop, recipe.augment.crop) == (48, 44, "window")
    (phase,) = recipe.phases
    assert (phase.optimiser, phase.batch, phase.epochs) == ("sgd", 128, 30)
    assert recipe.taxonomy == "fer7"
    assert name in load_recipe("faces-fusion").fuse


def test_the_linear_probe_is_frozen() -> None:
    recipe = load_recipe("linear-probe")
    assert [phase.train for phase in recipe.phases] == ["heads"]
    assert (recipe.network.layers, recipe.network.standardise) == ((), True)
    other = apply_settings(recipe, ["network.backbone=resnet18", "input.size=224"])
    assert (other.network.backbone, other.input.size) == ("resnet18", 224)
