"""Reports of evaluations and comparisons: one file that says where every number came from.

What comes in are the plain values of `emoviz.experiments.assess`; the JSON report is these values
themselves.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from emoviz.analysis.metrics import METRICS
from emoviz.errors import TableError
from emoviz.experiments.assess import leak_words
from emoviz.files import replaced_file, write_text
from emoviz.plots.document import (
    Document,
    DocumentTable,
    Section,
    number,
    percent,
    to_html,
    to_markdown,
)
from emoviz.plots.paper import paper_archive
from emoviz.plots.report_across import across_document
from emoviz.plots.report_parts import (
    calibration_section,
    changed_section,
    clustering_section,
    confusion_section,
    crossing_section,
    curves_section,
    estimated,
    label_section,
    mistakes_section,
    refusal_section,
    selective_section,
    slice_sections,
    unlabelled_section,
)

Values = Mapping[str, Any]
Pictures = Mapping[str, bytes]
ENDINGS = (".html", ".md", ".json", ".zip")
# What the card of a checkpoint is asked for.
_CARD: tuple[tuple[str, Callable[[Values], str]], ...] = (
    ("title", lambda row: row["title"]),
    ("taxonomy", lambda row: row["taxonomy"]),
    ("backbone", lambda row: row["backbone"]),
    ("temperature", lambda row: number(row["temperature"])),
    ("seed of its training", lambda row: str(row["seed"])),
    ("trained on", lambda row: ", ".join(row["trained_on"]) or "not said"),
    ("licence", lambda row: row["licence"]),
    ("seconds an image, where it was measured", lambda row: number(row.get("seconds_per_image"))),
    ("SHA-256 of the weights", lambda row: row["weights_sha256"]),
    ("fingerprint", lambda row: row["fingerprint"]),
)
INTERVAL_WORDS = (
    "Shares of images have Wilson's interval, all other metrics that of their effective number of "
    "images by the jackknife; the calibration error's is the inversion of a test, and clusters and "
    "delta are found anew in parts of the images ({level:.0%} confidence, seed {seed})."
)
_LEAD = (
    "What a model estimates that images evoke, against what people said. It is the model's "
    "estimate, on these images, with these labels."
)


def html_report(values: Values, pictures: Pictures | None = None) -> str:
    """One HTML file that opens anywhere without a network, with its figures inside.

    Args:
        values: Of an evaluation or a comparison.
        pictures: SHA-256 -> JPEG of images that mistakes and changes may be shown with.
    """
    return to_html(report_document(values, pictures))


def markdown_report(values: Values) -> str:
    """The same words and tables as Markdown."""
    return to_markdown(report_document(values))


def json_report(values: Values) -> str:
    """Every value, as it was computed."""
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def paper_report(values: Values, watch: Callable[[int, int], None] | None = None) -> bytes:
    """Figures as SVG and PDF with their data, tables as LaTeX and Markdown, methods: one ZIP.

    Args:
        values: Of an evaluation or a comparison.
        watch: Told how many figures of how many are drawn.

    Raises:
        TableError: The values are of several runs or sets, which have no figures of their own.
    """
    if "across" in values or "runs" in values:
        raise TableError("A ZIP for a paper is of one model or of two; write .html, .md or .json.")
    return paper_archive(values, report_document(values), watch)


def check_report(path: Path) -> None:
    """Raise `TableError` unless a report can be written under such a name."""
    if path.suffix.casefold() not in ENDINGS:
        raise TableError(f"The report '{path}' ends with none of {', '.join(ENDINGS)}.")


def write_report(path: Path, values: Values, pictures: Pictures | None = None) -> None:
    """Write a report as its ending says, whole or not at all.

    Raises:
        TableError: The path ends with none of `ENDINGS`.
        OSError: The file cannot be written.
    """
    check_report(path)
    suffix = path.suffix.casefold()
    if suffix == ".zip":
        with replaced_file(path) as aside:
            aside.write_bytes(paper_report(values))
    elif suffix == ".html":
        write_text(path, html_report(values, pictures))
    else:
        write_text(path, markdown_report(values) if suffix == ".md" else json_report(values))


def wanted_pictures(values: Values, most: int = 24) -> list[str]:
    """SHA-256 of the images that `html_report` would show."""
    lists = [values.get(key) or [] for key in ("mistakes", "lost", "won")]
    return list(dict.fromkeys(row["sha256"] for rows in lists for row in rows[:most]))


def report_document(values: Values, pictures: Pictures | None = None) -> Document:
    """The report as sections, in either form."""
    shown = pictures or {}
    if "across" in values:
        return across_document(values)
    if "runs" in values:
        return _runs_document(values)
    return _comparison(values, shown) if "difference" in values else _evaluation(values, shown)


# One model -----------------------------------------------------------------------------------


def _evaluation(values: Values, pictures: Pictures) -> Document:
    sections: list[Section | None] = [_sources(values, [values])]
    if values["n"]:
        sections += [_headline(values), *_labelled_sections(values)]
        sections.append(mistakes_section(values, pictures))
        sections += slice_sections(values)
    if values.get("answers"):
        sections.append(unlabelled_section(values["answers"]))
    sections.append(refusal_section(values))
    title = f"{values['checkpoint']} on {values['set']['title']}"
    return Document(title, _LEAD, [section for section in sections if section is not None])


def _labelled_sections(values: Values) -> list[Section]:
    return [
        label_section(values),
        confusion_section(values["confusion"], "Confusion matrix"),
        curves_section(values["curves"]),
        crossing_section([("", values)]),
        clustering_section(values),
        calibration_section(values["calibration"]),
        selective_section(values),
    ]


def _headline(values: Values) -> Section:
    rows = [
        [
            kind.title,
            *_estimate(values["intervals"][name], kind.unit),
            values["intervals"][name]["n"] or None,
            kind.plain,
        ]
        for name, kind in METRICS.items()
        if name in values["intervals"]
    ]
    level = values.get("level", 0.95)
    return Section(
        "Measures",
        [f"On {values['n']:,} images with a label that a class may be called."],
        [
            DocumentTable(
                ["measure", "value", f"{level:.0%} confidence interval", "images", "what it says"],
                rows,
            )
        ],
        notes=[INTERVAL_WORDS.format(level=level, seed=values["seed"])],
    )


def _estimate(row: Values, unit: str, signed: bool = False) -> list[str]:
    """A value and its interval, or the reason why it has none."""
    value = _value(row["value"], unit, signed)
    if row["low"] is None:
        return [value, row.get("reason", "")]
    low, high = (_value(row[end], unit, signed) for end in ("low", "high"))
    return [value, f"[{low}, {high}]"]


def _shown(unit: str) -> Callable[[float], str]:
    return percent if unit == "percent" else number


def _value(value: float | None, unit: str, signed: bool = False) -> str:
    if unit == "percent":
        return percent(value, signed)
    return number(value) if value is None or not signed else f"{value:+.4f}"


def _sources(values: Values, sides: Sequence[Values]) -> Section:
    """Which set, which checkpoints, which bridge, which versions."""
    about = values["set"].get("about") or {}
    facts: list[list[Any]] = [
        ["Its id in the library", values["set"]["id"] or "none"],
        ["SHA-256 of its images and labels", values["set_sha256"]],
        ["Images that could be read", values["set"]["images"]],
        ["Labels", values["set"]["labels"]],
        ["Measured", sides[0]["n"]],
        ["Left out, no class may be called so", _counts(sides[0]["left_out_labels"])],
        ["Left out, without a label", sides[0]["unlabelled"]],
        ["Left out, unknown labels", _counts(sides[0].get("unknown_labels") or {})],
        ["Refused rows and files", sides[0].get("refused", 0)],
        ["Images that stand there twice (they count twice)", sides[0]["duplicates"]],
        *(["Seen in a training", _seen(side)] for side in sides),
        *([f"The set's {key}", _words(value)] for key, value in about.items()),
        ["Seed", values["seed"]],
        ["Versions", ", ".join(f"{key} {value}" for key, value in values["versions"].items())],
        ["Made", values["created"]],
    ]
    models = values["checkpoints"]
    sheet = [[words, *(read(row) for row in models)] for words, read in _CARD]
    bridges = [
        DocumentTable(
            [f"label ({side['checkpoint']})", "classes that may be called so"],
            [[label, ", ".join(classes) or "none"] for label, classes in side["bridge"].items()],
        )
        for side in sides
    ]
    return Section(
        "What was measured",
        tables=[
            DocumentTable(["set", values["set"]["title"]], facts),
            DocumentTable(["checkpoint", *(row["id"] for row in models)], sheet),
            *bridges,
        ],
    )


def _seen(side: Values) -> str:
    """What of the images the model has learned from, and its accuracy without them."""
    leak = side.get("seen_in_training")
    if not leak:
        return f"not known of {side['checkpoint']}"
    words, rest = leak_words(leak, side["checkpoint"]), leak["accuracy_without"]
    if not leak["seen"]:
        return words
    return f"{words}; accuracy without them {' '.join(_estimate(rest, 'percent'))} (n {rest['n']})"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{label} {count}" for label, count in counts.items()) or "none"


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# Two models ----------------------------------------------------------------------------------


def _comparison(values: Values, pictures: Pictures) -> Document:
    one, other = values["a"], values["b"]
    sections: list[Section | None] = [_sources(values, [one, other])]
    if one["n"]:
        sections += [
            _differences(values),
            _tests(values),
            label_section(one, other),
            confusion_section(values["confusion_difference"], "Confusion matrix, B minus A"),
            crossing_section([("A", one), ("B", other)]),
            changed_section("From right to wrong", values["lost"], pictures),
            changed_section("From wrong to right", values["won"], pictures),
        ]
        for side, name in ((one, "A"), (other, "B")):
            sections += [
                Section(f"{name}: {section.title}", *list(vars(section).values())[1:])
                for section in _labelled_sections(side)
            ]
    sections.append(refusal_section(one))
    title = f"{one['checkpoint']} (A) and {other['checkpoint']} (B) on {values['set']['title']}"
    return Document(title, _LEAD, [section for section in sections if section is not None])


def _differences(values: Values) -> Section:
    one, other = values["a"]["intervals"], values["b"]["intervals"]
    rows = [
        [
            kind.title,
            *(estimated(side[name], _shown(kind.unit)) for side in (one, other)),
            *_estimate(values["difference"][name], kind.unit, signed=True),
            "more" if kind.better == "more" else "less",
        ]
        for name, kind in METRICS.items()
        if name in values["difference"]
    ]
    header = ["measure", "A", "B", "B - A", f"{values['level']:.0%} confidence interval", "better"]
    return Section(
        "Measures of both",
        [f"On the same {values['a']['n']:,} images, with labels that both tell apart."],
        [DocumentTable(header, rows)],
        notes=[
            "Both see the same images, so what makes an image hard for both cancels. An interval "
            "that leaves out 0 tells the two apart, as far as the choice of images goes; it says "
            "nothing of another training run."
        ],
    )


def _tests(values: Values) -> Section:
    test = values["mcnemar"]
    words = [
        f"Only A is right on {test['only_a_right']:,} images, only B on {test['only_b_right']:,}. "
        f"McNemar's test ({test['method']}): p = {test['p']:.4g}.",
        values["claim"],
    ]
    if values["agreement"] is not None:
        value, interval = _estimate(values["kappa"], "share")
        words.append(
            f"Both give the same answer to {percent(values['agreement'])} of the "
            f"{values['kappa']['n']:,} images; Cohen's kappa {value} {interval}."
        )
    return Section("Right and wrong", words)


# Several runs --------------------------------------------------------------------------------


def _runs_document(values: Values) -> Document:
    runs = values["runs"]
    rows = [
        [
            kind.title,
            *(_value(run["intervals"][name]["value"], kind.unit) for run in runs),
            _value(mean["mean"], kind.unit) if mean else None,
            _value(mean["sd"], kind.unit) if mean else None,
        ]
        for name, kind in METRICS.items()
        if (mean := values["over_runs"].get(name)) or name in values["over_runs"]
    ]
    names = [run["checkpoint"] for run in runs]
    first = runs[0]
    facts = Section(
        "Where it came from",
        [
            f"SHA-256 of images and labels {first['set_sha256']}; seed {first['seed']}; versions "
            + ", ".join(f"{key} {value}" for key, value in first["versions"].items())
        ],
    )
    table = DocumentTable(["measure", *names, "mean", "standard deviation"], rows)
    measures = Section("Measures of each run", [f"On {first['n']:,} images."], [table])
    return Document(f"{len(runs)} runs: {', '.join(names)}", _LEAD, [measures, facts])
