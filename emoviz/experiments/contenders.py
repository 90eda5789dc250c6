"""The models of an evaluation: a checkpoint, an ensemble or another program, and their tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoviz.analysis.alignment import AlignedPredictions, ModelOutputs, ensemble, judge_together
from emoviz.checkpoints import Checkpoint, open_checkpoint
from emoviz.data.dataset import Dataset
from emoviz.errors import CheckpointError, TableError
from emoviz.inference.cache import cost_of, fingerprint
from emoviz.inference.embedding import embed_collection
from emoviz.inference.embedding_table import EmbeddingTable, Progress
from emoviz.inference.labelled import Labels, joined
from emoviz.inference.language_model import PROMPT, TIMEOUT, LanguageModel, key_for
from emoviz.inference.predict import load_model
from emoviz.inference.predictions import PredictionTable, read_predictions
from emoviz.inference.rivals import Rival, ask
from emoviz.labels import Bridge, Taxonomy
from emoviz.settings import Settings

TOGETHER, RUNS = "+", ","  # of ids on the command line: an ensemble, runs of one recipe


@dataclass(frozen=True)
class Contender:
    """One model of an evaluation: a checkpoint, an ensemble of some, or another program.

    Attributes:
        name: For people: an id, ids with plus signs between them, or a file's name.
        members: The checkpoints; several are an ensemble.
        predictions: What another program answered; there are no members then.
    """

    name: str
    members: tuple[Checkpoint, ...]
    predictions: PredictionTable | None = None

    @property
    def taxonomies(self) -> list[Taxonomy]:
        """Classes of each table that it brings."""
        if self.predictions is not None:
            return [self.predictions.taxonomy]
        return [member.card.taxonomy for member in self.members]

    @property
    def fingerprints(self) -> list[str]:
        """What decides over its numbers."""
        if self.predictions is not None:
            return [self.predictions.sha256]
        return [fingerprint(member) for member in self.members]

    def costs(self, settings: Settings) -> list[float | None]:
        """Seconds an image of each member on this machine; None where it was not measured."""
        if self.predictions is not None:
            return [self.predictions.seconds]
        return [cost_of(settings, member) for member in self.members]

    def about(self) -> list[dict[str, Any]]:
        """What a report says of each member."""
        if self.predictions is not None:
            return [_about_predictions(self.predictions)]
        return [
            {
                "id": member.card.id,
                "title": member.card.title,
                "taxonomy": member.card.taxonomy.name,
                "backbone": member.card.backbone,
                "temperature": member.card.temperature,
                "seed": member.card.seed,
                "trained_on": [str(part.get("name", "")) for part in member.card.data],
                "licence": member.card.licence,
                "weights_sha256": member.card.weights_sha256,
                "fingerprint": fingerprint(member),
            }
            for member in self.members
        ]


def _about_predictions(item: PredictionTable) -> dict[str, Any]:
    return {
        "id": item.title,
        "title": f"predictions of another program, {len(item):,} images",
        "taxonomy": item.taxonomy.name,
        "backbone": " ".join(item.notes) or "not known",
        "temperature": None,
        "seed": None,
        "trained_on": [],
        "licence": "not known",
        "weights_sha256": "none",
        "fingerprint": item.sha256,
    }


def open_predictions(path: Path) -> Contender:
    """Another program's answers as a contender.

    Raises:
        TableError: As `read_predictions`.
    """
    found = read_predictions(path)
    return Contender(found.title, (), found)


@dataclass(frozen=True)
class Question:
    """How a vision-language model behind an address is asked.

    Attributes:
        model: What its server calls it.
        prompt: With `emoviz.inference.language_model.CLASSES` in it.
        beyond: Whether images may leave this machine, as a person has to say.
        seconds: It is waited for, at most, for one image.
    """

    model: str
    prompt: str = PROMPT
    beyond: bool = False
    seconds: float = TIMEOUT


def is_address(place: str) -> bool:
    """Whether a rival is a server and no folder."""
    return place.strip().casefold().startswith(("http://", "https://"))


def ask_rival(
    place: str,
    collection: Dataset,
    settings: Settings,
    question: Question | None = None,
    progress: Progress | None = None,
) -> Path:
    """Ask a rival about a set; only images that it has not answered are shown to it.

    Args:
        place: The folder of a classifier (`emoviz.inference.classifiers`), or the address of a
            vision-language model (`emoviz.inference.language_model`).
        collection: The images; such a model is asked for the classes of their labels.
        settings: Where answers are kept.
        question: Of a model behind an address.
        progress: Called with (done, all).

    Returns:
        Its answers as a table of predictions.

    Raises:
        WeightsError: The folder is no classifier that is read here.
        FetchError: The address must not be asked.
        TableError: It answered for no image, or the labels have no names to ask for.
    """
    rival = open_rival(place, collection.taxonomy, settings, question)
    return ask(rival, collection, settings, progress)


def open_rival(
    place: str, labels: Taxonomy, settings: Settings, question: Question | None = None
) -> Rival:
    """The classifier in a folder, or the model behind an address; as `ask_rival`."""
    if not is_address(place):
        from emoviz.inference.classifiers import open_classifier

        return open_classifier(Path(place).expanduser())
    if question is None:
        raise TableError(f"Name the model as the server at {place} calls it.")
    if len(labels) < 2:
        raise TableError(
            "These images have no labels: say which taxonomy it is asked for (--classes)."
        )
    return LanguageModel(
        place.strip(),
        question.model,
        labels.names,
        question.prompt,
        question.beyond,
        question.seconds,
        key_for(place, settings),
    )


def open_contender(text: str, settings: Settings) -> Contender:
    """A checkpoint by its id or folder, or several ids with plus signs between them.

    Raises:
        CheckpointError: One of them is not there or cannot be used.
    """
    try:
        found = open_checkpoint(text, settings)
        return Contender(found.card.id, (found,))
    except CheckpointError:
        if TOGETHER not in text:
            raise
    members = tuple(open_checkpoint(part.strip(), settings) for part in text.split(TOGETHER))
    return Contender(TOGETHER.join(member.card.id for member in members), members)


def open_runs(text: str, settings: Settings) -> list[Contender]:
    """One contender, or several with commas between them: runs of one recipe.

    Raises:
        CheckpointError: As `open_contender`.
    """
    try:
        return [open_contender(text, settings)]
    except CheckpointError:
        if RUNS not in text:
            raise
    return [open_contender(part.strip(), settings) for part in text.split(RUNS)]


def table_of(
    checkpoint: Checkpoint,
    collection: Dataset,
    settings: Settings,
    progress: Progress | None = None,
) -> EmbeddingTable:
    """A checkpoint's table of a collection; only images that it has not seen pass the network.

    Raises:
        TableError: The cache cannot be read or written.
    """
    found = embed_collection(load_model(checkpoint, settings), collection, settings, progress)
    return next(iter(found.parts(settings, max(1, len(collection)))))


def answers_of(table: EmbeddingTable, name: str = "") -> ModelOutputs:
    """What a table's checkpoint answered, as arrays for the analysis."""
    given = name or (table.origin.checkpoint if table.origin is not None else "")
    u = table.embedding if table.embedding.shape[1] else None
    return ModelOutputs(given, table.taxonomy, table.probabilities, u, table.novelty)


def judged_of(
    contenders: Sequence[tuple[str, Sequence[EmbeddingTable]]],
    labels: Labels,
    bridges: Sequence[Bridge],
) -> tuple[list[AlignedPredictions], EmbeddingTable, Labels]:
    """Several models on the images that all of their tables hold.

    Args:
        contenders: Name and tables of each; several tables are an ensemble.
        labels: Of the first table's images.
        bridges: One a table, in the same order.

    Returns:
        A `Judged` for each contender; their rows count the images of the table that comes with
        them, which is the first one's without what another lacks; and the labels of that table.

    Raises:
        TableError: The tables share no image.
        AnalysisError: The bridges lead to different labels.
    """
    tables = [table for _, given in contenders for table in given]
    rows = joined(tables)
    if len(tables) > 1 and not len(rows[0]):
        raise TableError("The models were not shown one common image; choose one set for all.")
    shown = [table.take(at) for table, at in zip(tables, rows, strict=True)]
    shares = None if labels.shares is None else labels.shares[rows[0]]
    known = Labels(labels.indices[rows[0]], labels.taxonomy, shares)
    answers = [answers_of(table) for table in shown]
    each = iter(judge_together(answers, known.indices, bridges, shares))
    found = []
    for name, given in contenders:
        members = [next(each) for _ in given]
        found.append(members[0] if len(members) == 1 else ensemble(members, name))
    return found, shown[0], known
