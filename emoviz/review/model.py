"""What the review store takes and gives: frozen facts, independent of the database beneath.

Times are ISO 8601 in UTC with microseconds and ``Z``, so that they sort as texts. Ids are of one
store; what outlives it (in exports, backups, merged stores) is the ``uid``, a work's ``key`` and
a decision's ``token``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from emoviz.labels import Taxonomy

Role = Literal["waiting", "viewer", "reviewer", "manager"]
ROLES: tuple[Role, ...] = ("waiting", "viewer", "reviewer", "manager")  # each more
Kind = Literal["agree", "choose", "none", "skip", "retract"]
KINDS: tuple[Kind, ...] = ("agree", "choose", "none", "skip", "retract")
State = Literal["waiting", "ready", "failed"]
Order = Literal["uncertain", "opposite", "unlike", "divided", "style", "artist", "number", "random"]
ORDERS: tuple[Order, ...] = (
    "uncertain", "opposite", "unlike", "divided", "style", "artist", "number", "random",
)  # fmt: skip
Stage = Literal["open", "skipped", "decided", "any"]
STRENGTHS = (1, 2, 3)
STRENGTH_WORDS: Mapping[int, str] = {1: "a little ", 2: "", 3: "strongly "}  # before an emotion


@dataclass(frozen=True)
class ArtworkCollection:
    """Artworks that are reviewed together.

    Attributes:
        id: In this store.
        uid: In every store.
        name: Its name on the command line and in links: small letters, digits, ``-``, ``_``, ``.``.
        title: For people.
        source: Where it came from: path or URL.
        kind: ``folder``, ``zip``, ``table``, ``iiif``, ``wikiart-emotions``, ``sample``...
        created: Time.
        about: Plain values for JSON: terms, options of the import, which table of embeddings...
        removed: Time; "" while it is there.
    """

    id: int
    uid: str
    name: str
    title: str
    source: str
    kind: str
    created: str
    about: Mapping[str, Any] = field(default_factory=dict)
    removed: str = ""


@dataclass(frozen=True)
class NewWork:
    """An artwork as an importer knows it; see `Work` for the fields."""

    key: str
    title: str = ""
    artist: str = ""
    style: str = ""
    date: str = ""
    year: int | None = None
    rights: str = ""
    file: str = ""
    inside: str = ""
    url: str = ""
    canvas: str = ""
    label: str = ""
    sha256: str = ""
    error: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """One artwork of a collection.

    Attributes:
        id: In this store.
        collection: Id of its collection.
        number: Its place in the collection, from 0.
        key: What it is called within its collection, for good: canvas, path, row.
        title: As its source gives it; so are `artist`, `style`, `date`, `rights`.
        year: For orders and charts; None where the date holds none.
        file: Absolute path of the image, or of the ZIP or table that holds it; "" where it is
            not on this machine yet.
        inside: Member of the ZIP or row of the table.
        url: Where the image was or will be fetched.
        canvas: Id of its IIIF canvas.
        label: Emotion that the source itself gives it.
        sha256: Of the image's bytes; "" until they were read.
        state: ``waiting`` for its image, ``ready``, or ``failed``.
        error: Why it failed.
        metadata: All else that is known, searchable: name -> text.
        removed: Time; "" while it is there.
    """

    id: int
    collection: int
    number: int
    key: str
    title: str = ""
    artist: str = ""
    style: str = ""
    date: str = ""
    year: int | None = None
    rights: str = ""
    file: str = ""
    inside: str = ""
    url: str = ""
    canvas: str = ""
    label: str = ""
    sha256: str = ""
    state: State = "waiting"
    error: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    removed: str = ""


@dataclass(frozen=True)
class EstimateSet:
    """One checkpoint's estimates for a collection.

    Attributes:
        id: In this store.
        collection: Id.
        checkpoint: Its id.
        fingerprint: Of all that decides over the numbers (`emoviz.inference.cache.fingerprint`).
        version: Of emoviz.
        taxonomy: The classes, in the order of the probabilities.
        table: Path of the table of embeddings, "" where there is none.
        created: Time.
        count: Works that have an estimate.
    """

    id: int
    collection: int
    checkpoint: str
    fingerprint: str
    version: str
    taxonomy: Taxonomy
    table: str
    created: str
    count: int = 0


@dataclass(frozen=True)
class NewEstimate:
    """What a checkpoint makes of one image: calibrated probabilities (C,), novelty or None."""

    sha256: str
    probabilities: tuple[float, ...]
    novelty: float | None = None


@dataclass(frozen=True)
class StoredPrediction:
    """The model's estimate of the emotion that a work evokes.

    Attributes:
        work: Id.
        checkpoint: Id of the checkpoint.
        fingerprint: Of the checkpoint as it was.
        version: Of emoviz.
        taxonomy: The classes.
        sha256: Of the image that was seen.
        probabilities: Class -> probability, in the taxonomy's order.
        novelty: In units of the checkpoint's threshold; None where it has none.
        uncertainty: Entropy of the probabilities, 0 to 1.
        opposite: Whether the two most probable classes have opposite sentiments.
    """

    work: int
    checkpoint: str
    fingerprint: str
    version: str
    taxonomy: Taxonomy
    sha256: str
    probabilities: Mapping[str, float]
    novelty: float | None
    uncertainty: float
    opposite: bool

    @property
    def ranked(self) -> list[tuple[str, float]]:
        """Classes with their probabilities, most probable first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])

    @property
    def first(self) -> str:
        """The most probable class."""
        return self.ranked[0][0]

    @property
    def second(self) -> str:
        """The second most probable class; the only one where there is one."""
        return self.ranked[min(1, len(self.probabilities) - 1)][0]


@dataclass(frozen=True)
class Reviewer:
    """A person.

    Attributes:
        id: In this store.
        uid: In every store.
        name: As others read it; no two have the same.
        role: ``waiting`` to be let in, ``viewer`` looks, ``reviewer`` decides, ``manager`` also
            brings in and takes home.
        subject: Issuer and subject of an OIDC login; "" for a name that was only typed.
        created: Time.
    """

    id: int
    uid: str
    name: str
    role: Role
    subject: str
    created: str

    @property
    def may_review(self) -> bool:
        """Whether this person's decisions are taken."""
        return self.role in ("reviewer", "manager")

    @property
    def may_manage(self) -> bool:
        """Whether this person may add and remove collections, hand out roles and export."""
        return self.role == "manager"


@dataclass(frozen=True)
class Feeling:
    """An emotion that a reviewer named, with its strength: 1 weak, 2 plain, 3 strong."""

    emotion: str
    strength: int = 2


@dataclass(frozen=True)
class ShownWork:
    """What a reviewer had before their eyes when they decided.

    Attributes:
        blind: Whether the estimate was hidden until the decision.
        estimate: Whether the estimate was shown; never together with `blind`.
        heat_map: Method of the heat map, "" for none.
        neighbours: Whether neighbours in feeling or style were shown.
        order: Of the queue that brought the work up; "" where it was opened by itself.
        seconds: From when the work was shown to the decision; None where not measured.
    """

    blind: bool = False
    estimate: bool = True
    heat_map: str = ""
    neighbours: bool = False
    order: str = ""
    seconds: float | None = None


@dataclass(frozen=True)
class Draft:
    """A decision that is to be stored.

    Attributes:
        work: Id.
        reviewer: Id.
        kind: ``agree`` with the estimate's first emotion, ``choose`` emotions, ``none`` of these,
            ``skip``. (``retract`` is what `ReviewStore.undo` writes.)
        token: Made by whoever sends it, once a key press; the same token counts once.
        feelings: For ``choose``: at least one. For ``agree`` it may be left out: then it is the
            estimate's first emotion with strength 2.
        note: Free text.
        fingerprint: Of the checkpoint whose estimate it answers; "" where there was none.
        shown: What was before the reviewer's eyes.
    """

    work: int
    reviewer: int
    kind: Kind
    token: str
    feelings: tuple[Feeling, ...] = ()
    note: str = ""
    fingerprint: str = ""
    shown: ShownWork = ShownWork()


@dataclass(frozen=True)
class Decision:
    """A stored decision: a fact.

    Attributes:
        id: In this store; later decisions of one reviewer have larger ones.
        work: Id.
        reviewer: Id.
        sha256: Of the image that was decided on.
        time: When it was stored.
        checkpoint: Whose estimate it answers; "" where there was none.
        fingerprint: Of that checkpoint.
        kind: See `Draft`; ``retract`` takes back the one that it replaces.
        feelings: The emotions with their strengths.
        note: Free text.
        shown: What was before the reviewer's eyes.
        replaces: Id of the decision of the same person on the same work that it corrects or takes
            back; None for a first one.
        token: See `Draft`.
    """

    id: int
    work: int
    reviewer: int
    sha256: str
    time: str
    checkpoint: str
    fingerprint: str
    kind: Kind
    feelings: tuple[Feeling, ...]
    note: str
    shown: ShownWork
    replaces: int | None
    token: str


@dataclass(frozen=True)
class ArtworkFilters:
    """Which works a queue or a list holds; a field left out leaves all in.

    Attributes:
        emotion: Most probable emotion of the estimate.
        artist: Exactly.
        style: Exactly.
        text: In title, artist, style, date, rights, label, key or metadata, whatever the capitals.
        opposite: Only works whose two most probable emotions are opposite.
        unlike: Only works farther from the training images than the checkpoint's threshold.
        years: First and last year, both included; either may be None.
        decided: None all, True those that anybody decided, False those that nobody did.
        works: Ids of those that are left in; None leaves all in.
        stage: For one reviewer: ``open`` not yet decided, ``skipped``, ``decided`` or ``any``.
    """

    emotion: str = ""
    artist: str = ""
    style: str = ""
    text: str = ""
    opposite: bool = False
    unlike: bool = False
    years: tuple[int | None, int | None] = (None, None)
    decided: bool | None = None
    works: frozenset[int] | None = None
    stage: Stage = "open"


@dataclass(frozen=True)
class Queue:
    """In which order a reviewer meets the works of a collection.

    Attributes:
        collection: Id.
        reviewer: Id.
        fingerprint: Whose estimates; "" for none: then only orders that need none.
        order: ``uncertain`` (entropy), ``opposite`` (top two of opposite sentiment, closest
            rivals first), ``unlike`` (farthest from training images first), ``divided`` (those of
            `first`, then the others), ``style``, ``artist``, ``number`` (as in the collection),
            ``random``.
        seed: Of ``random``.
        filters: Which works.
        first: Ids of the works that come first by ``divided``, in that order.
    """

    collection: int
    reviewer: int
    fingerprint: str = ""
    order: Order = "uncertain"
    seed: int = 0
    filters: ArtworkFilters = ArtworkFilters()
    first: tuple[int, ...] = ()


@dataclass(frozen=True)
class Mark:
    """A place in a queue, from which it goes on: the order's value and the work's number."""

    value: float | str
    number: int


@dataclass(frozen=True)
class QueuePlace:
    """A work in a queue, with its estimate (None without one) and where the queue goes on."""

    work: Work
    estimate: StoredPrediction | None
    mark: Mark


@dataclass(frozen=True)
class Share:
    """A reviewer's part of a collection.

    Attributes:
        reviewer: Id.
        part: From 0 to `parts` - 1.
        parts: Into how many the works are dealt, evenly and for good.
        overlap: Share of the works, 0 to 1, that everybody gets, so that agreement can be
            measured.
    """

    reviewer: int
    part: int
    parts: int
    overlap: float = 0.0


@dataclass(frozen=True)
class ReviewProgress:
    """How far one reviewer is in their part of a collection.

    Attributes:
        works: All that is theirs to decide.
        decided: With a decision that stands, skips aside.
        skipped: Skipped so far.
    """

    works: int
    decided: int
    skipped: int

    @property
    def open(self) -> int:
        """Works that still wait for this reviewer."""
        return self.works - self.decided - self.skipped


@dataclass(frozen=True)
class Counts:
    """A collection in numbers: works by state, decisions that stand, who decided."""

    works: int
    ready: int
    failed: int
    waiting: int
    decided: int
    decisions: int
    reviewers: int
