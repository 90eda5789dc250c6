"""The Textures page without a browser: every view, odd images, checkpoints without Gram modules."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from test_page_classify import drop, healthy, html, open_app
from test_parts import untrained

from emoviz.checkpoints import Card, Checkpoint, save_checkpoint
from emoviz.cli import main
from emoviz.data.preprocessing import Preprocessing
from emoviz.inference.stored import list_tables
from emoviz.labels import MIKELS8
from emoviz.models.fusion import FusedNetwork
from emoviz.models.network import EmotionNetwork, NetworkConfig
from emoviz.plots.explaining import moved_bars, overlay, strengths
from emoviz.settings import PROJECT_ROOT, Settings, load_settings

Make = Callable[..., bytes]
PAGE = "pages/predict/textures.py"
VIEWS = ("Where", "Style or content", "Textures", "What if")


def opened(*files: tuple[str, bytes], checkpoint: str = "tiny") -> AppTest:
    app = drop(open_app(checkpoint), *files)
    return healthy(app.switch_page(PAGE).run())


def turn_to(app: AppTest, view: str) -> AppTest:
    return healthy(app.segmented_control(key="textures-view").set_value(view).run())


def text(app: AppTest) -> str:
    kinds = (app.main.markdown, app.main.caption, app.main.info, app.main.error)
    return "\n".join(str(item.value) for kind in kinds for item in kind)


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def save(settings: Settings, name: str, network: object) -> None:
    card = Card(
        id=name,
        title=name,
        summary="",
        taxonomy=MIKELS8,
        network=network.config.to_dict(),  # type: ignore[attr-defined]
        preprocessing=Preprocessing(64),
    )
    folder = settings.user_checkpoints / name
    save_checkpoint(folder, card, network, with_graph=False)  # type: ignore[arg-type]


def test_without_an_image_it_offers_ways_in(tiny_checkpoint: Checkpoint) -> None:
    app = healthy(open_app().switch_page(PAGE).run())
    assert app.title[0].value == "Why does the network say so?"
    assert "the model's estimate of the emotion" in app.main.markdown[0].value
    assert app.file_uploader[0].label == "Drop images here, or a ZIP of images"
    healthy(app.button(key="samples-all").click().run())
    assert app.segmented_control(key="textures-view").value == "Where"


@pytest.mark.parametrize(
    ("view", "words"),
    [
        ("Where", "spoke for the class"),
        ("Style or content", "is a sum, without approximation"),
        ("Textures", "the layout is lost, texture and colour stay"),
        ("What if", "Bars: the estimate now"),
    ],
)
@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (80, 80), (200, 30, 30)),
        Image.new("RGB", (16, 16), (0, 90, 0)),
        Image.effect_noise((10_000, 50), 80).convert("RGB"),
    ],
    ids=["one-colour", "16x16", "strip"],
)
def test_every_view_shows_odd_images(
    view: str, words: str, image: Image.Image, tiny_checkpoint: Checkpoint
) -> None:
    app = turn_to(opened(("odd.png", encoded(image))), view)
    assert words in text(app)


@pytest.mark.parametrize("method", ["gradcam", "ig", "occlusion", "words"])
def test_every_method_draws_its_maps(
    method: str, tiny_checkpoint: Checkpoint, picture: Make
) -> None:
    app = opened(("a.jpg", picture()))
    healthy(app.selectbox(key="regions-method").set_value(method).run())
    assert ("Completeness for" in text(app)) == (method == "ig")
    assert (":blue" in text(app)) == (method != "gradcam")


def test_two_images_are_compared(tiny_checkpoint: Checkpoint, picture: Make) -> None:
    app = opened(("a.jpg", picture()), ("b.jpg", picture(seed=4)))
    turn_to(app, "Textures")
    assert "nothing in common" not in text(app)
    healthy(app.selectbox(key="textures-beside").set_value(1).run())
    assert "How unlike the textures of the two are" in text(app)


def test_what_if_moves_the_estimate_and_reset_brings_it_back(
    tiny_checkpoint: Checkpoint, picture: Make
) -> None:
    app = turn_to(opened(("a.jpg", picture())), "What if")
    before = html(app)
    next(item for item in app.slider if item.label.startswith("Brightness")).set_value(30)
    healthy(app.run())
    assert html(app) != before
    next(item for item in app.button if item.label == "Reset").click()
    healthy(app.run())
    assert html(app) == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("plain", "has no Gram modules"),
        ("product", "multiplies"),
        ("fused", "is a fusion of several networks"),
    ],
)
def test_every_network_shows_what_it_can_in_every_view(
    name: str, words: str, settings: Settings, picture: Make
) -> None:
    networks = {
        "plain": lambda: untrained(()),
        "product": lambda: untrained((2,), module="multiplicative"),
        "fused": lambda: FusedNetwork([untrained((), seed=i) for i in range(2)]),  # type: ignore[misc]
    }
    save(settings, name, networks[name]())
    app = opened(("a.jpg", picture()), ("b.jpg", picture(seed=4)), checkpoint=name)
    healthy(app.selectbox(key="textures-beside").set_value(1).run())
    turn_to(app, "Style or content")
    assert words in text(app)
    turn_to(app, "Textures")
    assert "Channels that go together stand side by side" in text(app)
    assert sum(str(item.key).startswith("make-") for item in app.button) == 2
    turn_to(app, "What if")
    assert "Bars: the estimate now" in text(app)
    turn_to(app, "Where")
    for method in ("gradcam", "ig", "occlusion"):
        healthy(app.selectbox(key="regions-method").set_value(method).run())
        assert "spoke for the class" in text(app)
        assert not app.main.error


def test_a_vision_transformer_is_explained_in_every_view(settings: Settings, picture: Make) -> None:
    options = {"img_size": 64, "patch_size": 16, "embed_dim": 24, "depth": 4, "num_heads": 2}
    network = EmotionNetwork(NetworkConfig("vision_transformer", 8, (), options=options))
    save(settings, "vit", network.eval())
    app = opened(("a.jpg", picture()), checkpoint="vit")
    assert app.selectbox(key="regions-method").value == "rollout"
    assert "is where the network looked" in text(app)
    for method, words in (
        ("gradcam", "Take attention rollout"),
        ("ig", "spoke for the class"),
        ("occlusion", "spoke for the class"),
    ):
        healthy(app.selectbox(key="regions-method").set_value(method).run())
        assert words in text(app)
        assert not app.main.error
    for view in VIEWS[1:]:
        turn_to(app, view)


def test_the_baseline_of_integrated_gradients_is_said(
    tiny_checkpoint: Checkpoint, picture: Make
) -> None:
    app = opened(("a.jpg", picture()))
    healthy(app.selectbox(key="regions-method").set_value("ig").run())
    assert "image less plain grey is" in text(app)
    healthy(app.segmented_control(key="regions-baseline").set_value("black").run())
    assert "image less black is" in text(app)


# A collection ------------------------------------------------------------------------------------


@pytest.fixture
def stored(tiny_checkpoint: Checkpoint, tmp_path: Path, make_table: Callable[..., Path]) -> str:
    """Ten images read by the command line; the key of their collection."""
    table = make_table(tmp_path / "mine", MIKELS8.names[:5] * 2)
    assert main(["style", str(table), "--checkpoint", "tiny"]) == 0
    (item,) = list_tables(load_settings())[0]
    return item.path.parent.name


def open_box(app: AppTest, key: str) -> AppTest:
    app.session_state[key] = True
    return healthy(app.run())


def test_a_stored_collection_tells_which_emotions_lean_on_texture(
    stored: str, picture: Make
) -> None:
    app = turn_to(opened(("a.jpg", picture())), "Style or content")
    app.session_state["collection"] = stored
    open_box(app, "parts-collection")
    assert "95 % intervals, n = 10" in text(app)
    assert "Mean over 10 images" in text(app)
    box = next(item for item in app.selectbox if str(item.key).startswith("parts-class"))
    healthy(box.set_value(box.options[1]).run())
    assert "Mean over 10 images" not in text(app)


def test_same_style_beside_same_feeling_in_a_stored_collection(stored: str, picture: Make) -> None:
    app = turn_to(opened(("a.jpg", picture(seed=3))), "Textures")
    app.session_state["collection"] = stored
    open_box(app, "textures-nearby")
    assert "Same style: nearest Gram matrices" in text(app)
    assert "of 6 in both rows" in text(app)


def test_a_collection_that_was_not_read_is_offered(
    tiny_checkpoint: Checkpoint,
    tmp_path: Path,
    make_table: Callable[..., Path],
    picture: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = make_table(tmp_path / "mine", MIKELS8.names[:3])
    assert main(["embed", str(table), "--checkpoint", "tiny"]) == 0
    (item,) = list_tables(load_settings())[0]
    monkeypatch.setattr("emoviz.ui.textures.collection._ASK_ABOVE", 2)
    app = turn_to(opened(("a.jpg", picture())), "Style or content")
    app.session_state["collection"] = item.path.parent.name
    open_box(app, "parts-collection")
    assert "3 images of mine/labels.csv are not read yet" in text(app).replace("\\", "")
    assert app.button(key="style-read").label == "Read them"


def test_the_page_waits_for_an_image_before_torch_comes_in(tiny_checkpoint: Checkpoint) -> None:
    script = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        f"app = AppTest.from_file({str(PROJECT_ROOT / 'app.py')!r}, default_timeout=60)\n"
        "app.query_params['checkpoint'] = 'tiny'\n"
        f"app.run(); app.switch_page({PAGE!r}).run(); assert not app.exception\n"
        "print([name for name in ('torch', 'captum') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"


def test_overlay_marks_for_and_against_and_leaves_the_rest() -> None:
    import numpy as np

    picture = np.full((40, 40, 3), 128, np.uint8)
    heat = np.zeros((4, 4), np.float32)
    heat[0, 0], heat[3, 3] = 1.0, -1.0
    drawn = np.asarray(overlay(picture, heat, 1.0)).astype(int)
    assert drawn[2, 2, 0] > drawn[2, 2, 2] + 60
    assert drawn[37, 37, 2] > drawn[37, 37, 0] + 60
    assert np.array_equal(np.asarray(overlay(picture, heat, 0.0)), picture)
    assert not strengths(np.zeros((4, 4))).any()


def test_moved_bars_say_both_numbers_and_escape() -> None:
    text_ = moved_bars({"<b>": 0.25, "awe": 0.75}, {"<b>": 0.5, "awe": 0.5}, ["awe", "<b>"], {})
    assert text_.index("awe") < text_.index("&lt;b&gt;")
    assert "<b>" not in text_
    assert "before 25" in text_


def test_files_of_the_component_are_there() -> None:
    folder = Path(PROJECT_ROOT, "emoviz/ui/textures")
    assert (folder / "grams.js").is_file()
    assert (folder / "grams.css").is_file()
