"""What every training of a run shares: the images, their targets, the features, the network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from emoviz.analysis.duplicates import equal_pairs, groups_of
from emoviz.checkpoints import Checkpoint
from emoviz.curation.checks import FindingLimits, pairs_alike
from emoviz.data.dataset import SPLITS, Dataset, Problem, Record, count_words
from emoviz.data.image_statistics import Looks, look_at
from emoviz.data.images import Limits
from emoviz.data.preprocessing import Preprocessing
from emoviz.data.reading import parse_data_argument, read_labelled
from emoviz.errors import TrainingError
from emoviz.labels import Taxonomy
from emoviz.models.backbones import VISION_TRANSFORMER, Backbone, load_pretrained
from emoviz.models.losses import NO_CLASS, ContrastiveCenterLoss
from emoviz.models.network import EmotionNetwork, NetworkConfig
from emoviz.training.augmentation import ViewMaker
from emoviz.training.encoder import fill_backbone
from emoviz.training.encoder_reading import read_encoder
from emoviz.training.features import FeatureSource
from emoviz.training.folder import Refusals
from emoviz.training.processes import Processes
from emoviz.training.recipe import Recipe
from emoviz.training.state import Training
from emoviz.training.targets import (
    Rows,
    Targets,
    check_splits,
    make_targets,
    missed_shares,
    split_sets,
    with_class_weights,
)
from emoviz.training.warm_start import learned_behind, take_centers, take_weights

_TOLD = 5  # problems of a set that are named in the log


@dataclass(frozen=True)
class Worker:
    """What the work is done with.

    Attributes:
        device: ``cpu`` or ``cuda``, of phases that train ``all``.
        readers: Processes that read images for such phases.
        processes: Those that share the work.
        cache: Folder of kept features; None keeps them in memory alone.
        start: The checkpoint that ``network.start`` names, opened.
        watch: Called with (views done, all) while features are computed; may raise to stop.
    """

    device: str = "cpu"
    readers: int = 0
    processes: Processes = field(default_factory=Processes)
    cache: Path | None = None
    start: Checkpoint | None = None
    watch: Callable[[int, int], None] = lambda done, total: None


@dataclass(frozen=True)
class PreparedTraining:
    """What every training of a run shares.

    Attributes:
        recipe: What to do.
        sets: The labelled sets, without what cannot be read.
        targets: Of all their images.
        preprocessing: Of the finished network.
        features: Of the frozen backbone, computed once for all trainings.
        tell: Called with a line for people.
        worker: What the work is done with.
        refused: Table to image to reason, of the files that cannot be read and of copies of
            images that the network is judged by.
    """

    recipe: Recipe
    sets: tuple[Dataset, ...]
    targets: Targets
    preprocessing: Preprocessing
    features: FeatureSource
    tell: Callable[[str], None]
    worker: Worker
    refused: Refusals

    def training(self, train_rows: Rows, watched: Rows) -> tuple[Training, str]:
        """A fresh network to train on some of the images, and where its backbone came from."""
        torch.manual_seed(self.recipe.seed)
        start = self.worker.start
        network, pretrained = build_network(self.recipe, start)
        part = self.recipe.loss
        classes = len(self.recipe.classes)
        loss = ContrastiveCenterLoss(classes, network.width, part.margin, part.center_spread)
        if start is not None:
            take_centers(loss, start, self.recipe.classes)
        if part.beta:
            apart = torch.pdist(loss.centers.detach()).mean().item()
            self.tell(
                f"Class centers start {apart:.3g} apart (mean); the margin is {part.margin:g}."
            )
        state = Training(
            self.recipe,
            network,
            loss,
            self.preprocessing,
            with_class_weights(self.targets.rows(train_rows), self.recipe.data.class_weight_power),
            self.targets.rows(watched),
            self.features,
            self.tell,
            device=self.worker.device,
            workers=self.worker.readers,
            processes=self.worker.processes,
            learned_behind=start is not None
            and learned_behind(network, start, self.recipe.classes),
        )
        return state, pretrained

    def rows_of_split(self, split: str) -> Rows:
        """Indices of the images of one split."""
        return np.flatnonzero([record.split == split for record in self.targets.records])


def prepare(
    recipe: Recipe,
    tables: Sequence[str],
    tell: Callable[[str], None],
    worker: Worker | None = None,
    test_tables: Sequence[str] = (),
    known: Refusals | None = None,
) -> PreparedTraining:
    """Read the tables, leave out what cannot be read, and make the targets.

    Args:
        recipe: What to do.
        tables: ``TAXONOMY=PATH`` or ``PATH`` each.
        tell: Called with a line for people.
        worker: What the work is done with.
        test_tables: Tables whose images are all kept for the test; the others then give none.
        known: `PreparedTraining.refused` of an earlier start, so that no image is opened twice.

    Raises:
        TableError, TaxonomyError: A table cannot be used.
        TrainingError: There is too little to learn from.
    """
    worker = worker or Worker()
    preprocessing = _preprocessing(recipe, worker.start)
    reasons: dict[str, dict[str, str]] = {}
    seen: list[Looks] = []
    of_looks: list[tuple[int, str]] = []
    sets: list[Dataset] = []
    texts = (*tables, *test_tables)
    for k, text in enumerate(texts):
        taxonomy, path = parse_data_argument(text)
        item = read_labelled(path, taxonomy)
        if known is not None and text in known:
            reasons[text] = dict(known[text])
        else:
            looks, names = look_at(item.records, Limits()), [r.name for r in item.records]
            reasons[text] = {n: why for n, why in zip(names, looks.reason, strict=True) if why}
            _check_some_read(item, reasons[text])
            seen.append(looks)
            of_looks += [(k, name) for name in names]
        item = without_refused(item, reasons[text])
        tell(f"{item.name}: {count_words(len(item.records), len(item.problems))}")
        for line in (*item.notes, *(f"{key}: {why}" for key, why in item.problems[:_TOLD])):
            tell(f"  {line}")
        sets.append(item)
    whole_sets, sets = sets, _split(sets, len(tables), recipe)
    own = len(tables) == len(sets)  # no table is for the test alone
    for before, after in zip(whole_sets[: len(tables)], sets, strict=False):
        if not any(record.split for record in before.records):
            asked = recipe.data if own else replace(recipe.data, test=0.0)
            for line in missed_shares(after, asked):
                tell(f"  {line}")
    taxonomy = recipe.classes
    targets = make_targets(sets, recipe, taxonomy)
    if not recipe.data.folds:
        copies = copies_of_held_out(targets, len(sets), of_looks, Looks.joined(seen))
        for k, (text, found) in enumerate(zip(texts, copies, strict=True)):
            reasons[text].update(found)
            sets[k] = without_refused(sets[k], found)
            if found:
                tell(
                    f"{sets[k].name}: left out as copies of images that the network is judged by: "
                    f"{len(found):,}"
                )
        if any(copies):
            targets = make_targets(sets, recipe, taxonomy)
        check_splits(targets, needs_validation=recipe.data.validation > 0)
    _check_classes(targets, taxonomy, tell)
    maker = ViewMaker(preprocessing, recipe.augment, recipe.augment.view_seed)
    # Whole maps of all images serve any split, any fold and any number of positions.
    whole = max(phase.views for phase in recipe.phases) if keeps_whole_maps(recipe) else 0
    pools = _pools(targets) if recipe.data.folds or whole else ()
    tail = any(phase.train == "tail" for phase in recipe.phases)

    def fresh() -> EmotionNetwork:
        torch.manual_seed(recipe.seed)
        return build_network(recipe, worker.start)[0]

    features = FeatureSource(
        fresh, maker, worker.cache, tell, pools, tail, watch=worker.watch, whole_views=whole
    )
    return PreparedTraining(
        recipe, tuple(sets), targets, preprocessing, features, tell, worker, reasons
    )


def keeps_whole_maps(recipe: Recipe) -> bool:
    """Whether all phases learn from kept whole maps, as the full network would see them."""
    return all(phase.train != "all" and phase.positions == 0 for phase in recipe.phases)


def build_network(recipe: Recipe, start: Checkpoint | None = None) -> tuple[EmotionNetwork, str]:
    """The recipe's network with its starting weights, and where those came from.

    Args:
        recipe: What to build.
        start: The checkpoint that ``network.start`` names.

    Raises:
        WeightsError: The backbone's weights cannot be had.
        TrainingError: The checkpoint has another backbone, or none was opened.
    """
    network = EmotionNetwork(network_config(recipe, start))
    if recipe.network.start:
        if start is None:
            raise TrainingError(
                f"The recipe starts from the network '{recipe.network.start}', which this "
                "command does not open. Train it with `train`."
            )
        return network, take_weights(network, start, recipe.classes)
    if recipe.network.weights:
        return network, fill_backbone(network.backbone, read_encoder(recipe.network.weights))
    source = load_pretrained(network.backbone) if recipe.network.pretrained else "random"
    return network, source


def network_config(recipe: Recipe, start: Checkpoint | None = None) -> NetworkConfig:
    """What the recipe's network is built from.

    Args:
        recipe: What to build.
        start: The checkpoint that ``network.start`` names; a vision transformer of no name is built
            of its options.
    """
    part = recipe.network
    options = {} if start is None else start.card.network.get("options", {})
    return NetworkConfig(
        backbone=part.backbone,
        classes=len(recipe.classes),
        layers=part.layers,
        dropout=part.dropout,
        gram_dropout=part.gram_dropout,
        pooled_dropout=part.pooled_dropout,
        module=part.module,
        parallel=part.parallel,
        reduce=part.reduce,
        pooled_activation=part.pooled_activation,
        kinds=part.kinds,
        kinds_from=part.kinds_from,
        dimensions=part.dimensions,
        options=options,
    )


def without_refused(item: Dataset, reasons: Mapping[str, str]) -> Dataset:
    """The set without the images that are refused, which join its problems."""
    kept = tuple(record for record in item.records if record.name not in reasons)
    told = map(Problem._make, reasons.items())
    return replace(item, records=kept, problems=(*item.problems, *told))


def copies_of_held_out(
    targets: Targets, sets: int, names: Sequence[tuple[int, str]], looks: Looks
) -> list[dict[str, str]]:
    """Images to learn from, or to choose by, of which a copy is held out.

    A copy is the same file, or one that looks alike by the rule of a set's examination.

    Args:
        targets: Of the images that take part, with their splits.
        sets: How many there are.
        names: (N) set and name of the images that were looked at.
        looks: (N) of theirs.

    Returns:
        For each set, image to reason.
    """
    row_of = {key: row for row, key in enumerate(names)}
    rank = np.full(len(names), -1)  # place in SPLITS: the test gives up nothing
    for number, record in zip(targets.sets, targets.records, strict=True):
        place = row_of.get((int(number), record.name))
        if place is not None and record.split is not None:
            rank[place] = SPLITS.index(record.split)
    near = pairs_alike(looks, FindingLimits())
    # Pairs of equal pictures name the first of them alone, so these are one group.
    group_of = groups_of(len(names), equal_pairs(looks.sha256), near.take(near.distance == 0))
    highest, first = np.full(len(names), -1), dict[tuple[int, int], str]()
    np.maximum.at(highest, group_of, rank)
    for row in np.flatnonzero(rank >= 0).tolist():
        first.setdefault((int(group_of[row]), int(rank[row])), names[row][1])
    reached, like = highest.copy(), np.arange(len(names))  # of the group and of those like it
    for some, others in ((near.first, near.second), (near.second, near.first)):
        pairs = zip(group_of[some].tolist(), group_of[others].tolist(), strict=True)
        for mine, other in pairs:
            if highest[other] > reached[mine]:
                reached[mine], like[mine] = highest[other], other
    files = {(int(rank[row]), sha256) for row, sha256 in enumerate(looks.sha256)}
    found: list[dict[str, str]] = [{} for _ in range(sets)]
    for row in np.flatnonzero((rank >= 0) & (rank < reached[group_of])).tolist():
        (k, name), group = names[row], int(group_of[row])
        split = int(reached[group])
        found[k][name] = (
            f"the same file is among the {SPLITS[split]} images"
            if (split, looks.sha256[row]) in files
            else f"it looks like {first[int(like[group]), split]} of the {SPLITS[split]} images"
        )
    return found


def _check_some_read(item: Dataset, reasons: Mapping[str, str]) -> None:
    """Raise `TrainingError` where no image is left to look at."""
    if reasons and all(record.name in reasons for record in item.records):
        name, why = next(iter(reasons.items()))
        raise TrainingError(
            f"None of the {len(item.records):,} images of '{item.name}' can be read (the first, "
            f"{name}: {why}). If they were moved, put them back or bring them in again, then go on."
        )


def _preprocessing(recipe: Recipe, start: Checkpoint | None) -> Preprocessing:
    """The recipe's input with the mean and deviation that the backbone was trained with."""
    if start is not None and recipe.network.backbone == VISION_TRANSFORMER:
        return replace(start.card.preprocessing, ten_crop=0)  # it takes one size alone
    mean: tuple[float, ...]
    std: tuple[float, ...]
    if start is not None or recipe.network.weights:
        expected = (
            start.card.preprocessing
            if start is not None
            else read_encoder(recipe.network.weights).preprocessing
        )
        mean, std = expected.mean, expected.std
    else:
        mean, std = Backbone(recipe.network.backbone, ()).normalisation
    return Preprocessing.from_dict({**asdict(recipe.input), "mean": mean, "std": std})


def _split(sets: Sequence[Dataset], own: int, recipe: Recipe) -> list[Dataset]:
    """Splits by the recipe; sets after the first `own` are all test, and then the only one."""
    if own == len(sets):
        return split_sets(sets, recipe.data)
    if recipe.data.folds:
        raise TrainingError(
            "Tables for the test alone do not go with data.folds. Set data.folds=0, or give all "
            "tables with --data."
        )
    first = split_sets(sets[:own], replace(recipe.data, test=0.0))
    test = [
        replace(item, records=tuple(replace(r, split="test") for r in item.records))
        for item in sets[own:]
    ]
    return [*first, *test]


def _pools(targets: Targets) -> list[tuple[Record, ...]]:
    """The images set by set."""
    sets = [np.flatnonzero(targets.sets == i) for i in range(len(targets.names))]
    return [tuple(targets.records[i] for i in rows) for rows in sets if len(rows)]


def _check_classes(targets: Targets, taxonomy: Taxonomy, tell: Callable[[str], None]) -> None:
    """At least two classes must be told apart by the training images."""
    learned = [r.split in (None, "train") for r in targets.records]
    rows = np.flatnonzero(learned) if any(learned) else np.arange(len(targets))
    mass = np.einsum("ns,nsc->c", targets.shares[rows], targets.bridges[targets.sets[rows]])
    missing = [name for name, m in zip(taxonomy.names, mass, strict=True) if m == 0]
    single = np.unique(targets.single[rows][targets.single[rows] != NO_CLASS])
    if len(taxonomy) - len(missing) < 2 or (len(single) == 1 and len(missing) == len(taxonomy) - 1):
        raise TrainingError(
            f"All training images are of one class ({', '.join(set(taxonomy.names) - set(missing))}"
            "). A network needs at least two to tell apart."
        )
    if missing:
        tell(f"No training image is {', '.join(missing)}: the network cannot learn to say so.")
