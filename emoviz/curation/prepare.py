"""A preparation recipe applied to a labelled set: the same images give the same result anywhere.

Choices hang on hashes of bytes and of groups' names. What is thrown out is listed with the reason
and the image's hash, under which the recipe can keep it after all.
"""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis import duplicates
from emoviz.curation.checks import CHECKS, CheckMaterial, CheckResult, FindingLimits
from emoviz.curation.examined import Detected, Examined
from emoviz.curation.recipe import ImageFilters, Preparation, Relabel, SplitShares, Undersample
from emoviz.data.dataset import NO_LABEL, Dataset, Record
from emoviz.data.dataset import Split as SplitName
from emoviz.errors import RecipeError, TableError
from emoviz.labels import Taxonomy, bridge_between, get_taxonomy, own_taxonomy, taxonomy_of

Ints = NDArray[np.int64]
_SPLIT_ORDER = {"test": 0, "validation": 1, "train": 2, "": 3}


@dataclass(frozen=True)
class Dropped:
    """One image that was thrown out."""

    name: str
    sha256: str
    label: str
    reason: str


@dataclass(frozen=True)
class PreparedSet:
    """The outcome of a recipe.

    Attributes:
        labelled: The prepared set, in the order of the given one.
        dropped: What was thrown out.
        steps: What each step left: (words, images).
        fingerprint: SHA-256 over the images' hashes, labels and splits in sorted order: equal on
            two machines where the result is.
    """

    labelled: Dataset
    dropped: tuple[Dropped, ...]
    steps: tuple[tuple[str, int], ...]
    fingerprint: str

    def counts(self) -> dict[str, dict[str, int]]:
        """Split -> label -> images."""
        names = self.labelled.taxonomy.names
        found = Counter((record.split or "", record.label) for record in self.labelled.records)
        return {
            split: {name: found[split, i] for i, name in enumerate(names)}
            for split in ("train", "validation", "test")
        }


@dataclass
class _Work:
    """The images that are still in, on their way through the steps."""

    item: Examined
    records: list[Record]
    rows: Ints
    taxonomy: Taxonomy
    votes: bool
    dropped: list[Dropped] = field(default_factory=list)
    steps: list[tuple[str, int]] = field(default_factory=list)

    def drop(self, mask: NDArray[np.bool_], reason: str | Callable[[int], str]) -> None:
        """Throw out the images of a mask over all rows of the set."""
        for place, row in enumerate(self.rows):
            if mask[row]:
                record = self.records[place]
                named = self.taxonomy.names[record.label] if record.label != NO_LABEL else ""
                why = reason if isinstance(reason, str) else reason(int(row))
                sha256 = self.item.looks.sha256[row]
                self.dropped.append(Dropped(record.name, sha256, named, why))
        self.keep(~mask[self.rows])

    def keep(self, stay: NDArray[np.bool_]) -> None:
        """Go on with some of the images."""
        self.records = [r for r, yes in zip(self.records, stay, strict=True) if yes]
        self.rows = self.rows[stay]

    def done(self, words: str) -> None:
        """Note how many are left."""
        self.steps.append((words, len(self.records)))


def needs(recipe: Preparation) -> tuple[bool, bool]:
    """Whether the recipe asks for (text, faces) to be looked for."""
    return recipe.filters.text > 0, recipe.filters.faces > 0


def prepare(labelled: Dataset, item: Examined, recipe: Preparation) -> PreparedSet:
    """Apply a recipe.

    Args:
        labelled: The set.
        item: What its images look like, in the set's order, with text and faces if it `needs`
            them.
        recipe: What is to be done.

    Raises:
        RecipeError: A label, a column or a bridge that the recipe names is not there, or text or
            faces were not looked for.
        TableError: No image is left.
    """
    if len(labelled.records) != len(item):
        raise TableError(
            f"The set has {len(labelled.records)} images, its examination {len(item)}; examine it "
            "anew."
        )
    rows = np.arange(len(item))
    work = _Work(item, list(labelled.records), rows, labelled.taxonomy, labelled.votes)
    work.done("images of the set")
    groups = _filter(work, recipe.filters)
    _relabel(work, recipe.relabel)
    _undersample(work, recipe.undersample)
    if not work.records:
        first = f" The first: {work.dropped[0].reason}." if work.dropped else ""
        raise TableError(f"Recipe '{recipe.name}' leaves no image of '{labelled.name}'.{first}")
    _split(work, recipe.split, groups)
    made = Dataset(
        recipe.title or recipe.name, work.taxonomy, tuple(work.records), votes=work.votes
    )
    return PreparedSet(made, tuple(work.dropped), tuple(work.steps), _fingerprint(work))


# Filters ---------------------------------------------------------------------------------------


def _filter(work: _Work, filters: ImageFilters) -> Ints:
    """Throw out what the filters say; gives the group of look-alikes of each row of the set."""
    item, looks = work.item, work.item.looks
    work.drop(~looks.readable, lambda row: f"unreadable: {looks.reason[row]}")
    spared = _by_hash(looks.sha256, filters.keep)
    _by_hand(work, filters, spared)
    limits = FindingLimits(
        min_side=filters.min_side, max_aspect=filters.max_aspect or np.inf, bits=filters.bits
    )
    material = CheckMaterial(item, limits)
    asked = {
        "tiny": (bool(filters.min_side), f"short side below {filters.min_side} pixels"),
        "extreme_aspect": (bool(filters.max_aspect), f"longer than {filters.max_aspect:g} to 1"),
        "one_coloured": (filters.one_coloured == "drop", "of one colour"),
        "grey": (filters.grey == "drop", "grey"),
    }
    for kind, (wanted, reason) in asked.items():
        if wanted:
            found = CHECKS[kind].judge(material)
            assert isinstance(found, CheckResult)  # these always look
            work.drop(found.faulty & ~spared, reason)
    for kind, share, seen in (
        ("text", filters.text, item.text),
        ("faces", filters.faces, item.faces),
    ):
        if share > 0:
            work.drop(_above(kind, share, seen) & ~spared, f"{kind} on {share:.1%} or more of it")
    alike = duplicates.groups_of(len(item), material.same, material.near)
    _drop_copies(work, filters, alike, spared)
    work.done("after the filters")
    return alike if filters.near_duplicates == "together" else np.arange(len(item))


def _by_hand(work: _Work, filters: ImageFilters, spared: NDArray[np.bool_]) -> None:
    """By hash, by label and by metadata."""
    unknown = [name for name in filters.labels if not work.taxonomy.holds(name)]
    if unknown:
        raise RecipeError(
            f"labels: '{unknown[0]}' is no label of the set; {', '.join(work.taxonomy.names)}."
        )
    dropped = _by_hash(work.item.looks.sha256, filters.drop)
    work.drop(dropped & ~spared, "thrown out by hand")
    if filters.labels:
        wanted = {work.taxonomy.index(name) for name in filters.labels}
        others = np.array([label not in wanted for label in work.item.labels], bool)
        work.drop(others & ~spared, f"its label is none of {', '.join(filters.labels)}")
    columns = {name for record in work.records for name in record.metadata}
    for wanted_here, table in ((True, filters.where), (False, filters.unless)):
        for column, value in table.items():
            if column not in columns:
                told = ", ".join(sorted(columns)) or "none"
                raise RecipeError(f"The set has no column '{column}'; it has {told}.")
            out = np.zeros(len(work.item), bool)
            equal = [record.metadata.get(column, "") == value for record in work.records]
            out[work.rows] = np.array(equal, bool) != wanted_here
            work.drop(out & ~spared, f"its {column} is {'not ' if wanted_here else ''}{value}")


def _by_hash(sha256: Sequence[str], wanted: Sequence[str]) -> NDArray[np.bool_]:
    short = {text[:12] for text in wanted}
    return np.array(
        [key[:12] in short and any(key.startswith(w) for w in wanted) for key in sha256], bool
    )


def _above(kind: str, share: float, found: Detected | None) -> NDArray[np.bool_]:
    if found is None:
        raise RecipeError(f"The recipe filters by {kind}, which was not looked for.")
    return np.asarray(np.nan_to_num(found.share, nan=0.0) >= share)


def _drop_copies(
    work: _Work, filters: ImageFilters, alike: Ints, spared: NDArray[np.bool_]
) -> None:
    item = work.item
    if filters.contradictions == "drop":
        seen: dict[int, set[int]] = {}
        for row in work.rows:
            seen.setdefault(int(alike[row]), set()).add(int(item.labels[row]))
        out = np.array([len(seen.get(int(g), ())) > 1 for g in alike], bool)
        work.drop(out & ~spared, "one that looks alike has another label")
    if filters.duplicates == "drop":
        keys = {key: i for i, key in enumerate(sorted(set(item.looks.sha256)))}
        same = np.array([keys[key] for key in item.looks.sha256], np.int64)
        work.drop(_all_but_one(work, same) & ~spared, "the same file is in the set again")
    if filters.near_duplicates == "drop":
        work.drop(_all_but_one(work, alike) & ~spared, "one that looks alike is in the set")


def _all_but_one(work: _Work, groups: Ints) -> NDArray[np.bool_]:
    """Of each group all but one: that of the test split, then of the smallest hash and name."""

    def rank(row: int) -> tuple[int, str, str]:
        item = work.item
        return _SPLIT_ORDER[item.splits[row]], item.looks.sha256[row], _normal(item.names[row])

    best: dict[int, int] = {}
    for row in work.rows.tolist():
        group = int(groups[row])
        if group not in best or rank(row) < rank(best[group]):
            best[group] = row
    out = np.zeros(len(groups), bool)
    out[work.rows] = True
    out[list(best.values())] = False
    return out


# Labels ----------------------------------------------------------------------------------------


def _relabel(work: _Work, relabel: Relabel) -> None:
    if relabel.names:
        _rename(work, relabel.names, relabel.to)
    if relabel.to and work.taxonomy.name != relabel.to:
        target = get_taxonomy(relabel.to)
        matrix = bridge_between(work.taxonomy, target).matrix
        _move(work, target, matrix, "no label of the target may be called so")
    if relabel.names or relabel.to:
        work.done(f"with the labels {', '.join(work.taxonomy.names[:8])}")


def _rename(work: _Work, names: Mapping[str, str], to: str) -> None:
    unknown = [name for name in names if not work.taxonomy.holds(name)]
    if unknown:
        raise RecipeError(
            f"names: '{unknown[0]}' is no label of the set; {', '.join(work.taxonomy.names)}."
        )
    table = {work.taxonomy.index(old): new for old, new in names.items()}
    new = [table.get(i, name) for i, name in enumerate(work.taxonomy.names)]
    known = get_taxonomy(to) if to else None
    if known is None or not all(known.holds(name) for name in new):
        unique = list(dict.fromkeys(new))
        known = taxonomy_of(unique) or own_taxonomy("prepared-labels", unique)
    matrix = np.zeros((len(known), len(new)))
    matrix[[known.index(name) for name in new], np.arange(len(new))] = 1.0
    _move(work, known, matrix, "its label is gone")


def _move(work: _Work, target: Taxonomy, matrix: NDArray[np.float64], reason: str) -> None:
    """Labels through a 0/1 matrix (target, source); one with no or several targets is dropped."""
    single = np.where(matrix.sum(axis=0) == 1, matrix.argmax(axis=0), NO_LABEL)
    shares = np.array([record.shares for record in work.records]).reshape(-1, matrix.shape[1])
    moved = (shares @ matrix.T).clip(0.0, None)
    labels = [
        _majority(moved[i], shares[i].sum())
        if work.votes
        else int(single[record.label])
        if record.label != NO_LABEL
        else NO_LABEL
        for i, record in enumerate(work.records)
    ]
    out = np.zeros(len(work.item), bool)
    out[work.rows] = [label == NO_LABEL for label in labels]
    records = zip(work.records, labels, moved, strict=True)
    fresh = [
        replace(record, label=label, shares=tuple(row.tolist()))
        for record, label, row in records
        if label != NO_LABEL
    ]
    work.drop(out, reason)
    work.records, work.taxonomy = fresh, target


def _majority(shares: NDArray[np.float64], total: float) -> int:
    """The label of most votes, unless as many went to answers that have no label now."""
    best = int(shares.round(6).argmax())
    outside = max(0.0, 1.0 - float(shares.sum()), total - float(shares.sum()))
    return best if shares[best] > 0 and round(float(shares[best]), 6) >= round(outside, 6) else -1


def _undersample(work: _Work, rule: Undersample) -> None:
    unknown = [name for name in rule.counts if not work.taxonomy.holds(name)]
    if unknown:
        raise RecipeError(
            f"counts: '{unknown[0]}' is no label; now they are {', '.join(work.taxonomy.names)}."
        )
    sizes = Counter(record.label for record in work.records if record.label != NO_LABEL)
    most = dict(sizes)
    if rule.ratio and sizes:
        most = dict.fromkeys(sizes, max(1, int(rule.ratio * min(sizes.values()))))
    for name, count in rule.counts.items():
        label = work.taxonomy.index(name)
        most[label] = min(most.get(label, count), count)
    if all(sizes[label] <= most[label] for label in sizes):
        return
    stay = np.ones(len(work.records), bool)
    for label in sizes:
        mine = [i for i, record in enumerate(work.records) if record.label == label]
        mine.sort(key=lambda i: _place(f"sample/{rule.seed}", _image_key(work, i)))
        stay[mine[most[label] :]] = False
    out = np.zeros(len(work.item), bool)
    out[work.rows] = ~stay
    work.drop(out, "undersampled: its class has more images than wanted")
    work.done("after undersampling")


# Splits ----------------------------------------------------------------------------------------


def _split(work: _Work, rule: SplitShares, alike: Ints) -> None:
    """Each class gets about the shares asked for; groups and look-alikes stay whole."""
    groups = _groups(work, rule.by, alike)
    given = [record.split if rule.own == "keep" else None for record in work.records]
    fixed = _fixed(groups, given)
    free = [i for i, split in enumerate(given) if split is None and int(groups[i]) not in fixed]
    found = _assigned(work, groups, free, rule)
    work.records = [
        replace(record, split=given[i] or fixed.get(int(groups[i])) or found[int(groups[i])])
        for i, record in enumerate(work.records)
    ]
    work.done("split")


def _groups(work: _Work, by: str, alike: Ints) -> Ints:
    """(M,) number of each record's group, look-alikes' groups joined."""
    if by not in ("group", "image") and not any(by in r.metadata for r in work.records):
        columns = ", ".join(sorted({name for r in work.records for name in r.metadata})) or "none"
        raise RecipeError(
            f"split by '{by}': the set has no such column. It has {columns}; or group, or image."
        )
    keys = [_group_key(work, i, by) for i in range(len(work.records))]
    count = len(keys)
    same = duplicates.equal_pairs(keys)
    near = duplicates.equal_pairs([str(alike[row]) for row in work.rows])
    return duplicates.groups_of(count, same, near)


def _group_key(work: _Work, i: int, by: str) -> str:
    record = work.records[i]
    if by == "group":
        group = record.group if record.group != record.name else ""
    else:
        group = "" if by == "image" else record.metadata.get(by, "")
    return f"group {_normal(group)}" if group else f"image {_image_key(work, i)}"


def _fixed(groups: Ints, given: Sequence[SplitName | None]) -> dict[int, SplitName]:
    """Group -> the split that one of its images has by the set itself; test before training."""
    found: dict[int, SplitName] = {}
    for group, split in zip(groups.tolist(), given, strict=True):
        if split and _SPLIT_ORDER[split] < _SPLIT_ORDER[found.get(group, "")]:
            found[group] = split
    return found


def _assigned(
    work: _Work, groups: Ints, free: Sequence[int], rule: SplitShares
) -> dict[int, SplitName]:
    """Group -> split: in each class groups by the hash of their names, test first."""
    members: dict[int, list[int]] = {}
    for i in free:
        members.setdefault(int(groups[i]), []).append(i)
    strata: dict[int, list[tuple[float, int, int]]] = {}
    for group, mine in members.items():
        common = Counter(work.records[i].label for i in mine)
        label = min(common, key=lambda name: (-common[name], name))
        name = min(_group_key(work, i, rule.by) for i in mine)
        strata.setdefault(label, []).append((_place(f"split/{rule.seed}", name), group, len(mine)))
    found: dict[int, SplitName] = {}
    for stratum in strata.values():
        total, before = sum(size for _, _, size in stratum), 0
        for _, group, size in sorted(stratum):
            middle = (before + size / 2) / total
            early = middle < rule.test + rule.validation
            found[group] = "test" if middle < rule.test else "validation" if early else "train"
            before += size
    return found


def _image_key(work: _Work, i: int) -> str:
    return work.item.looks.sha256[int(work.rows[i])]


def _place(seed: str, name: str) -> float:
    """Where a name falls in [0, 1), the same on any machine."""
    digest = hashlib.sha256(f"{seed}/{name}".encode(errors="surrogateescape")).hexdigest()
    return int(digest[:12], 16) / 16**12


def _normal(text: str) -> str:
    """Accents composed: file systems differ in how they store them."""
    return unicodedata.normalize("NFC", text)


def _fingerprint(work: _Work) -> str:
    names = work.taxonomy.names
    lines = sorted(
        f"{_image_key(work, i)}\t{names[r.label] if r.label != NO_LABEL else ''}\t{r.split}"
        for i, r in enumerate(work.records)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def report_of(prepared: PreparedSet, recipe: Preparation) -> dict[str, Any]:
    """What was done, as plain values for JSON."""
    return {
        "recipe": recipe.to_dict(),
        "recipe_sha256": recipe.sha256,
        "fingerprint": prepared.fingerprint,
        "steps": [{"step": words, "images": count} for words, count in prepared.steps],
        "images": len(prepared.labelled.records),
        "counts": prepared.counts(),
        "dropped": len(prepared.dropped),
        "dropped_by_reason": dict(Counter(_kind(row.reason) for row in prepared.dropped)),
    }


def _kind(reason: str) -> str:
    return reason.split(":", 1)[0] if reason.startswith("unreadable") else reason
