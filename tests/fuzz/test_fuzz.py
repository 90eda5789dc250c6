"""Whatever comes in is taken, or refused in words: at all doors, with input that nobody meant.

A short run is a part of the tests and always the same; ``scripts/fuzz`` tries as many examples as
one has time for, and others each time. What it finds becomes a test of its own kind.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bounds import examples, only_told
from corpus import ODD, archives, changed, damaged, images, tables
from hypothesis import example, given
from hypothesis import strategies as st
from reviews import furnish_review, new_works
from safetensors.numpy import save_file

from emoviz.checkpoints import Card, check_graph, check_weights, load_novelty, read_checkpoint
from emoviz.curation.recipe import load_preparation, read_preparation
from emoviz.data.decoding import Limits, decode
from emoviz.data.image_formats import mended
from emoviz.data.images import thumbnail
from emoviz.data.importers.iiif import IiifCaps, read_iiif
from emoviz.data.preprocessing import Preprocessing
from emoviz.data.reading import open_dataset, sent_sources
from emoviz.data.tables import read_table
from emoviz.errors import FetchError
from emoviz.inference.vectors import read_vectors
from emoviz.review.queueing import Queue
from emoviz.review.store import ReviewStore, open_store
from emoviz.settings import PROJECT_ROOT, Settings, load_settings
from emoviz.training.recipe import Recipe
from emoviz.training.recipe_loading import RECIPES, apply_settings, load_recipe, read_recipe
from emoviz.ui.review import desk_protocol

pytestmark = pytest.mark.filterwarnings(r"ignore:::PIL\.", "ignore:::tifffile")
DEEP = "[" * 2_000
LONG = "9" * 5_000


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def settings(place: Path) -> Settings:
    return replace(load_settings({}), home=place / "home")


# Images ----------------------------------------------------------------------------------------


@examples(300)
@given(data=damaged(images()), short_side=st.sampled_from((None, 8, 224)))
def test_images(data: bytes, short_side: int | None) -> None:
    limits = Limits(10**7, 4 * 10**6, 20_000)
    with only_told():
        opened = decode(data, limits, short_side)
        assert opened.pixels.mode == "RGB"
        assert len(opened.sha256) == 64
        for fit in ("squash", "crop"):
            assert Preprocessing(64, fit=fit).to_array(opened.pixels).shape == (64, 64, 3)
        assert thumbnail(opened.pixels, 32)


@examples(100)
@given(data=st.binary(max_size=300) | damaged(images()))
def test_mending_ends_and_is_mended(data: bytes) -> None:
    with only_told():
        once, _ = mended(data)
        twice, _ = mended(once)
        assert once == twice


# Tables, ZIPs, vectors -------------------------------------------------------------------------


@examples(60)
@given(data=damaged(tables()) | st.binary(max_size=200), suffix=st.sampled_from((".csv", ".tsv")))
@example(data=b"file,label\n" + DEEP.encode(), suffix=".csv")
@example(data=b"file,joy\na.jpg," + LONG.encode(), suffix=".csv")
@example(data=b'"' * 100_001, suffix=".csv")
def test_tables(place: Path, settings: Settings, data: bytes, suffix: str) -> None:
    path = place / f"table{'.parquet' if data.startswith(b'PAR1') else suffix}"
    path.write_bytes(data)
    with only_told():
        table = read_table(path)
        for _ in zip(range(10), table.rows(), strict=False):
            pass
    with only_told():
        found = open_dataset(path, settings)
        list(found.records)
    with only_told():
        read_vectors(data, path.name)


@examples(80)
@given(data=damaged(archives()))
def test_archives(settings: Settings, data: bytes) -> None:
    with only_told():
        for source in sent_sources("sent.zip", data, settings):
            with only_told():
                source.read()


@examples(40)
@given(
    shape=st.lists(st.integers(0, 2**40), max_size=3),
    kind=st.sampled_from(("<f4", "<f8", "|O", "<U9", "|V8", ">i2")),
    rest=st.binary(max_size=200),
)
def test_arrays(shape: list[int], kind: str, rest: bytes) -> None:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {tuple(shape)}}}".encode()
    data = b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n" + rest
    with only_told():
        read_vectors(data, "a.npy")


# IIIF ------------------------------------------------------------------------------------------

CANVAS_2 = {
    "@id": "https://m.example/c/1",
    "@type": "sc:Canvas",
    "label": [{"@value": "A", "@language": "en"}],
    "width": 100,
    "height": 80,
    "images": [
        {
            "@type": "oa:Annotation",
            "resource": {
                "@id": "https://m.example/1.jpg",
                "@type": "dctypes:Image",
                "service": {"@id": "https://m.example/iiif/1", "profile": "level2"},
            },
        }
    ],
}
MANIFEST_2 = {
    "@context": "http://iiif.io/api/presentation/2/context.json",
    "@id": "https://m.example/1",
    "@type": "sc:Manifest",
    "label": "A manifest",
    "metadata": [{"label": "Artist", "value": "B"}],
    "attribution": "C",
    "sequences": [{"canvases": [CANVAS_2]}],
}
CANVAS_3 = {
    "id": "https://m.example/c/1",
    "type": "Canvas",
    "label": {"en": ["A"]},
    "items": [
        {
            "type": "AnnotationPage",
            "items": [
                {
                    "type": "Annotation",
                    "motivation": "painting",
                    "body": {
                        "id": "https://m.example/1.jpg",
                        "type": "Image",
                        "service": [{"id": "https://m.example/iiif/1", "type": "ImageService3"}],
                    },
                }
            ],
        }
    ],
}
MANIFEST_3 = {
    "@context": "http://iiif.io/api/presentation/3/context.json",
    "id": "https://m.example/1",
    "type": "Manifest",
    "label": {"en": ["A manifest"]},
    "summary": {"none": ["S"]},
    "metadata": [{"label": {"en": ["Artist"]}, "value": {"en": ["B"]}}],
    "requiredStatement": {"label": {"en": ["By"]}, "value": {"en": ["C"]}},
    "provider": [{"id": "https://m.example", "type": "Agent", "label": {"en": ["M"]}}],
    "items": [CANVAS_3],
}
COLLECTION = {
    "@context": "http://iiif.io/api/presentation/3/context.json",
    "id": "https://m.example/1",
    "type": "Collection",
    "label": {"en": ["All"]},
    "items": [{"id": "https://m.example/2", "type": "Manifest"}, MANIFEST_3],
    "next": "https://m.example/3",
}


def _nested(depth: int) -> Any:
    found: Any = MANIFEST_3
    for _ in range(depth):
        found = {"type": "Collection", "id": "https://m.example/x", "items": [found]}
    return found


@examples(150)
@given(value=st.sampled_from((MANIFEST_2, MANIFEST_3, COLLECTION)).flatmap(changed) | ODD)
def test_iiif(value: Any) -> None:
    _read_iiif(value)


@pytest.mark.parametrize("depth", [30, 300, 900])
def test_iiif_in_iiif(depth: int) -> None:
    _read_iiif(_nested(depth))


@pytest.mark.parametrize("address", ["http://[", "http://[x]/", "//", "\0"])
def test_iiif_of_impossible_addresses(address: str) -> None:
    canvas = {**CANVAS_2, "images": [{"@type": "oa:Annotation", "resource": address}]}
    _read_iiif({**MANIFEST_2, "@id": address, "sequences": [{"canvases": [canvas]}]})


def _read_iiif(value: Any) -> None:
    asked = 0

    def load(address: str) -> Any:
        nonlocal asked
        asked += 1
        if asked > 30 or not isinstance(address, str):
            raise FetchError("there is nothing")
        return value

    with only_told():
        list(read_iiif("https://m.example/1", load, IiifCaps(documents=20)))


# Checkpoints -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(place: Path) -> Path:
    """A checkpoint's folder with a card that comes with the project, and arrays of no network."""
    made = place / "checkpoint"
    made.mkdir()
    shipped = next(PROJECT_ROOT.joinpath("checkpoints").glob("*/card.json"))
    card = Card.from_dict(json.loads(shipped.read_text()))
    head = np.zeros((len(card.taxonomy), card.width), np.float32)
    shutil.copy(shipped, made / "card.json")
    save_file(
        {"network.classifier.weight": head, "centers": head, "novelty.precision": head[:, :8]},
        made / "model.safetensors",
    )
    return made


@examples(80)
@given(data=st.data())
@pytest.mark.parametrize("what", ["card", "text", "weights"])
def test_checkpoints(folder: Path, what: str, data: st.DataObject) -> None:
    card, weights = folder / "card.json", folder / "model.safetensors"
    whole, arrays = card.read_bytes(), weights.read_bytes()
    text = data.draw(st.sampled_from((DEEP, '{"id": ' + LONG + "}", '{"temperature": 1e999}')))
    try:
        if what == "card":
            card.write_text(json.dumps(data.draw(changed(json.loads(whole)))))
        elif what == "text":
            card.write_bytes(data.draw(damaged((whole,)) | st.just(text.encode())))
        else:
            weights.write_bytes(data.draw(damaged((arrays,))))
        with only_told():
            found = read_checkpoint(folder)
            load_novelty(found)
            check_weights(found)
            check_graph(found)
    finally:
        card.write_bytes(whole)
        weights.write_bytes(arrays)


# Recipes ---------------------------------------------------------------------------------------

TEXTS = tuple(path.read_bytes() for path in sorted(RECIPES.glob("*.yaml")))
PREPARATIONS = tuple(
    path.read_bytes() for path in sorted(PROJECT_ROOT.glob("emoviz/curation/recipes/*.yaml"))
)
LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}]\n"
    for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
ODD_YAML = (
    DEEP, "{" * 2_000, "- " * 2_000, "a: b\n" * 200_000, "loss:\n  beta: " + LONG, "name: " + LONG,
    "seed: 0x" + LONG, LAUGHS, "name: *x", "? [a]\n: b", "loss: !!python/object:os.system {}",
    "&a [*a]", "a: 1\n<<: 2", "loss: &a\n  beta: *a", "name: 2026-13-45", "extends: recipe",
    "extends: ../../../etc/passwd", "extends: [faces]", "fuse: [faces-fusion]", "seed: 1e999",
    "seed: .nan", "seed: 2026-13-45", "seed: ''", "seed: '" + DEEP + "'",
    "\0", "\ufeff", "a: \ud7ff",
)  # fmt: skip


@examples(100)
@given(data=damaged((*TEXTS, *PREPARATIONS)))
def test_recipes(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    with only_told():
        read_recipe(text).to_dict()
    with only_told():
        read_preparation(text, "given").to_dict()


@pytest.mark.parametrize("number", range(len(ODD_YAML)))
def test_odd_recipes(number: int, place: Path) -> None:
    text = ODD_YAML[number]
    path = place / "odd.yaml"
    path.write_bytes(text.encode())
    for read in (
        lambda: read_recipe(text).to_dict(),
        lambda: load_recipe(str(path)).to_dict(),
        lambda: read_preparation(text, "given").to_dict(),
        lambda: load_preparation(path).to_dict(),
    ):
        with only_told():
            read()


@examples(20)
@given(
    key=st.sampled_from(("loss.beta", "seed", "phases.0.epochs", "network.layers", "", "a.b")),
    value=st.sampled_from((DEEP, LONG, "1e999", "[*a]", "&a [*a]", "!!python/none", "", "{", "\0"))
    | st.text(max_size=12),
)  # fmt: skip
def test_settings_of_recipes(key: str, value: str) -> None:
    with only_told():
        apply_settings(Recipe(), [f"{key}={value}"])


# The desk --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def desk(settings: Settings) -> Iterator[tuple[ReviewStore, Queue, dict[str, Any]]]:
    store = open_store(settings)
    collection, known = furnish_review(store, new_works(4))
    person = store.reviewer("Ona")
    queue = Queue(collection.id, person.id, known.fingerprint, "number")
    work = store.works(collection.id)[0].id
    choice = {"does": "decide", "token": "a", "work": work, "kind": "choose", "note": "n"}
    acts = [
        {**choice, "feelings": [["awe", 3]], "seconds": 2.5, "estimate": True},
        {"does": "undo", "token": "b", "work": work},
        {"does": "go", "token": "c", "number": 2, "queue": ""},
        {"does": "why", "token": "d", "work": work, "queue": ""},
    ]
    yield store, queue, {"n": 1, "acts": acts, "at": work, "queue": ""}
    store.engine.dispose()


@examples(60)
@given(data=st.data())
def test_what_a_browser_may_say(
    desk: tuple[ReviewStore, Queue, dict[str, Any]], data: st.DataObject
) -> None:
    store, queue, said = desk
    heard = data.draw(changed(said))
    with only_told():
        visit = desk_protocol.Visit()
        desk_protocol.hear(visit, heard, store, queue, data.draw(st.booleans()))
        desk_protocol.state(visit, store, queue, blind=True)
