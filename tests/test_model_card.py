"""Model cards: what the hub's own reader finds in them, and that shipped ones are up to date."""

import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from emoviz.model_card import MODEL_CARD, model_card
from emoviz.settings import PROJECT_ROOT

SHIPPED = sorted(path.parent for path in (PROJECT_ROOT / "checkpoints").glob("*/card.json"))


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_the_shipped_model_cards_say_what_their_cards_say(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    text = (folder / MODEL_CARD).read_text(encoding="utf-8")
    assert text == model_card(card)
    read: Any = ModelCard(text).data
    told = {(r.dataset_name, r.metric_type): r.metric_value for r in read.eval_results}
    for name, values in card["measures"].items():
        assert told[name, "accuracy"] == values["accuracy"]
        assert told[name, "f1"] == values["macro_f1"]
    assert read.license == "other"
    assert card["licence"] in text


def test_a_hostile_card_stays_text() -> None:
    card = {
        "id": "x",
        "title": "a\n# b <script>",
        "summary": "---\nlicense: mit\n---",
        "taxonomy": {"title": "t", "classes": [{"name": "awe"}, {"name": "fear"}]},
        "network": {"backbone": "b"},
        "intended_use": "",
        "limits": "",
        "data": [],
        "measures": {"one | two": {"n": 3, "accuracy": None}, "odd": 5},
        "recipe": {"zero_shot": {"prompts": {"awe": ["<b>", "the sea"]}}},
        "versions": {},
        "licence": "MIT",
    }
    text = model_card(card)
    read: Any = ModelCard(text).data
    assert read.license == "mit"
    assert "<script>" not in text
    assert "<b>" not in text
    assert "\n# b" not in text
    assert "one \\| two | 3 | –" in text
    assert "- awe: &lt;b>; the sea" in text
