"""What a preparation recipe may say: a small YAML file, checked when it is read.

Steps are taken in the order of the keys: filters, relabel, undersample, split. Whatever has to be
chosen is chosen by hashes of the images' bytes and of the groups' names, never by order, path or
clock, so the same recipe on the same images gives the same result on any machine.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from emoviz.errors import RecipeError
from emoviz.labels import TAXONOMIES
from emoviz.recipe_reading import Reader, compose, number, plain

_SHARES = 1.0
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class ImageFilters:
    """What is thrown out; files that cannot be read always are.

    Attributes:
        min_side: Images whose short side has fewer pixels; 0 keeps all.
        max_aspect: Images whose long side is more than so many short sides; 0 keeps all.
        one_coloured: ``drop`` images of one colour.
        grey: ``drop`` grey images.
        duplicates: ``drop`` all but one of files with the same bytes: the one of the test split
            where there is one, so that no test image was trained on.
        near_duplicates: ``drop`` likewise images that look alike; ``together`` keeps them in one
            split.
        bits: Bits of 64 that the hashes of images that look alike may differ in.
        contradictions: ``drop`` all images that look alike and have different labels.
        text: Images of whose area text takes this share or more, 0-1; 0 keeps all.
        faces: Images whose largest face takes this share of the area or more; 0 keeps all.
        labels: Only images with these labels; all where empty.
        where: Only images whose metadata have these values: column -> value.
        unless: No images whose metadata have these values.
        drop: Images by SHA-256 (its first 12 signs suffice), whatever the filters say.
        keep: Likewise, images that no filter throws out.
    """

    min_side: int = number(0, 0)
    max_aspect: float = number(0.0, 0.0)
    one_coloured: Literal["keep", "drop"] = "keep"
    grey: Literal["keep", "drop"] = "keep"
    duplicates: Literal["keep", "drop"] = "drop"
    near_duplicates: Literal["keep", "drop", "together"] = "together"
    bits: int = number(8, 0, 31)
    contradictions: Literal["keep", "drop"] = "keep"
    text: float = number(0.0, 0.0, _SHARES)
    faces: float = number(0.0, 0.0, _SHARES)
    labels: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    unless: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()


@dataclass(frozen=True)
class Relabel:
    """Other labels.

    Attributes:
        to: Taxonomy to which a bridge leads; the set's own labels where empty.
        names: Label -> new label, before the bridge; labels that are not named stay.
    """

    to: str = ""
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Undersample:
    """Fewer images of classes that have many.

    Attributes:
        ratio: A class keeps at most so many times the images of the rarest; 0 keeps all.
        counts: Label -> most images; labels that are not named keep theirs.
        seed: Another number chooses others.
    """

    ratio: float = number(0.0, 0.0)
    counts: Mapping[str, int] = field(default_factory=dict)
    seed: int = number(0, 0)


@dataclass(frozen=True)
class SplitShares:
    """Training, validation and test.

    Attributes:
        validation: Share of the images, 0-0.9; each class has about this share.
        test: Share of the images.
        by: ``group``: images of one group stay together; ``image``: each by itself; or the name
            of a metadata column whose values stay together, such as artist.
        own: ``keep`` the set's own split where an image has one; ``drop`` it.
        seed: Another number gives another split.
    """

    validation: float = number(0.1, 0.0, 0.9)
    test: float = number(0.1, 0.0, 0.9)
    by: str = "group"
    own: Literal["keep", "drop"] = "keep"
    seed: int = number(0, 0)


@dataclass(frozen=True)
class Preparation:
    """A recipe from a labelled set to a cleaned and split one.

    Attributes:
        name: Identifier: small letters, digits, ``-``, ``_`` and ``.``.
        title: For people; the name where empty.
        summary: What it is for.
        filters: What is thrown out.
        relabel: Other labels.
        undersample: Fewer images of some classes.
        split: Training, validation and test.
    """

    name: str
    title: str = ""
    summary: str = ""
    filters: ImageFilters = field(default_factory=ImageFilters)
    relabel: Relabel = field(default_factory=Relabel)
    undersample: Undersample = field(default_factory=Undersample)
    split: SplitShares = field(default_factory=SplitShares)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the file."""
        return dict(plain(self))

    @property
    def sha256(self) -> str:
        """Of what it asks for; spaces, comments and the order of keys do not count."""
        values = json.dumps(asdict(self), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(values.encode()).hexdigest()


class _AnyKeys(Reader):
    """Tables of a preparation have labels and columns as keys, not taxonomies."""

    def _check_taxonomy(self, node: yaml.Node, name: str) -> None:
        pass


def read_preparation(text: str, name: str) -> Preparation:
    """A recipe out of YAML.

    Args:
        text: YAML.
        name: Of the file, for messages.

    Raises:
        RecipeError: It is no YAML, a key is unknown or a value impossible; with the line.
    """
    node = compose(text, name)
    if "name" not in text:
        raise RecipeError(f"{name} has no name; begin with: name: my-recipe")
    try:
        made: Preparation = _AnyKeys(name).read(node, Preparation, "the recipe")
    except TypeError:
        raise RecipeError(f"{name} has no name; begin with: name: my-recipe") from None
    _check(made, name)
    return made


def load_preparation(path: str | Path) -> Preparation:
    """A recipe from a file, or one that comes with the project, by its name.

    Raises:
        RecipeError: There is none, or it cannot be read.
    """
    given = Path(path)
    shipped = {file.stem: file for file in (Path(__file__).parent / "recipes").glob("*.yaml")}
    file = given if given.is_file() else shipped.get(str(path), given)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError):
        raise RecipeError(
            f"There is no recipe '{path}'. Wanted: a YAML file, or one of "
            f"{', '.join(sorted(shipped))}."
        ) from None
    return read_preparation(text, file.name)


def dump_preparation(recipe: Preparation) -> str:
    """The recipe as YAML, keys that say nothing left out."""
    defaults = Preparation(recipe.name).to_dict()
    values = {
        key: _changed(value, defaults[key]) if isinstance(value, dict) else value
        for key, value in recipe.to_dict().items()
        if value not in ("", {}, [])
    }
    kept = {key: value for key, value in values.items() if value not in ({}, [])}
    return yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)


def _changed(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value != defaults[key]}


def _check(recipe: Preparation, name: str) -> None:
    if not _NAME.fullmatch(recipe.name):
        raise RecipeError(
            f"{name}: the name '{recipe.name}' cannot be used; wanted small letters, digits, '-', "
            "'_' or '.'."
        )
    if recipe.relabel.to and recipe.relabel.to not in TAXONOMIES:
        raise RecipeError(f"{name}: '{recipe.relabel.to}' is no taxonomy; {', '.join(TAXONOMIES)}.")
    if recipe.split.validation + recipe.split.test >= 1:
        raise RecipeError(f"{name}: validation and test leave nothing to train on.")
    hexes = [*recipe.filters.drop, *recipe.filters.keep]
    wrong = [text for text in hexes if not re.fullmatch(r"[0-9a-f]{12,64}", text)]
    if wrong:
        raise RecipeError(f"{name}: '{wrong[0]}' is no SHA-256; wanted 12 to 64 signs 0-9, a-f.")
    negative = [label for label, count in recipe.undersample.counts.items() if count < 1]
    if negative:
        raise RecipeError(f"{name}: counts.{negative[0]} must be at least 1.")
