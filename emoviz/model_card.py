"""A checkpoint's card as a model card in Hugging Face's form: README.md with YAML in front.

It says what ``card.json`` says and is written anew with it; nothing reads it back.
"""

import re
from collections.abc import Mapping
from typing import Any

MODEL_CARD = "README.md"
_LICENCES = ("apache-2.0", "mit", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc0-1.0")
# Of the measures those that the hub knows by these names.
_METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "f1",
    "roc_auc": "roc_auc",
    "mcc": "matthews_correlation",
}
_TITLES = {
    "accuracy": "Accuracy",
    "macro_f1": "Macro F1",
    "roc_auc": "ROC area, macro",
    "mcc": "MCC",
}


def model_card(card: Mapping[str, Any]) -> str:
    """The README of a checkpoint.

    Args:
        card: What ``card.json`` holds.

    Returns:
        Markdown with a YAML head that `huggingface_hub.ModelCard` reads: licence, tags, and each
        measure as a result on its set.
    """
    import yaml  # here: whoever opens a checkpoint to predict writes no card

    head = yaml.safe_dump(_head(card), sort_keys=False, allow_unicode=True, width=1000)
    classes = ", ".join(item["name"] for item in card["taxonomy"]["classes"])
    backbones = [m["backbone"] for m in card["network"].get("members", [card["network"]])]
    sections = (
        ("", f"# {_line(card['title'])}\n\n{_line(card['summary'])}"),
        (
            "Use",
            f"{_line(card['intended_use'])}\n\n"
            f"```\nemoviz predict images/ --checkpoint {card['id']}\n```",
        ),
        ("Limits", _line(card["limits"])),
        ("Classes", f"{classes} ({_line(card['taxonomy']['title'])})."),
        ("Data", "\n\n".join(map(_data, card["data"]))),
        ("Measures", _measures(card["measures"])),
        ("Prompts", _prompts(card["recipe"].get("zero_shot", {}).get("prompts", {}))),
        ("Network", f"Backbone {' + '.join(backbones)}; {_pairs(card['versions'])}."),
        ("Licence", _line(card["licence"])),
    )
    body = [f"## {title}\n\n{text}" if title else text for title, text in sections if text]
    return f"---\n{head}---\n\n" + "\n\n".join(body) + "\n"


def _head(card: Mapping[str, Any]) -> dict[str, Any]:
    licence = str(card["licence"]).strip().casefold()
    known = licence if licence in _LICENCES else "other"
    named = {"license_name": "see-below"} if known == "other" else {}
    return {
        "license": known,
        **named,
        "library_name": "emoviz",
        "pipeline_tag": "image-classification",
        "tags": ["emotion-recognition", "affective-computing", "onnx", "safetensors"],
        "model-index": [{"name": card["id"], "results": [*_results(card["measures"])]}],
    }


def _results(measures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry a set, as the hub's ``model-index`` has them."""
    found = []
    for name, values in measures.items():
        metrics = [
            {"type": kind, "name": _TITLES[key], "value": values[key]}
            for key, kind in _METRICS.items()
            if isinstance(values, Mapping) and isinstance(values.get(key), int | float)
        ]
        if metrics:
            slug = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")
            found.append(
                {
                    "task": {"type": "image-classification", "name": "Evoked emotion"},
                    "dataset": {"type": slug, "name": name},
                    "metrics": metrics,
                }
            )
    return found


def _measures(measures: Mapping[str, Any]) -> str:
    rows = [
        (_line(name), values.get("n"), *(values.get(key) for key in _METRICS))
        for name, values in measures.items()
        if isinstance(values, Mapping)
    ]
    if not rows:
        return "Nothing was measured."
    titles = ("Set", "n", *(_TITLES[key] for key in _METRICS))
    lines = [titles, ("---", *["---:"] * (len(titles) - 1)), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else _line(value).replace("|", "\\|")


def _data(entry: Mapping[str, Any]) -> str:
    lines = [f"**{_line(entry.get('name', ''))}**"]
    lines += [
        f"- {_line(key)}: {_pairs(value) if isinstance(value, Mapping) else _line(value)}"
        for key, value in entry.items()
        if key != "name" and value not in ("", None)
    ]
    return lines[0] + "\n\n" + "\n".join(lines[1:])


def _prompts(prompts: Mapping[str, Any]) -> str:
    return "\n".join(
        f"- {_line(name)}: {'; '.join(map(_line, texts))}" for name, texts in prompts.items()
    )


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{_line(key)} {_line(value)}" for key, value in values.items())


def _line(text: Any) -> str:
    """On one line and without HTML: a card's texts may be anybody's."""
    return " ".join(str(text).split()).replace("<", "&lt;")
