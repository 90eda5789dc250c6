"""The state of a training, and how it survives being killed.

What a step does depends on the weights, the optimiser's memory and (seed, phase, epoch, step)
alone; no generator runs on from step to step. So a file with the weights, that memory and the
place is all it takes to go on and end with the same weights.
"""

import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from emoviz.data.preprocessing import Preprocessing
from emoviz.errors import TrainingError
from emoviz.files import replaced_file
from emoviz.models.losses import ContrastiveCenterLoss
from emoviz.models.network import EmotionNetwork, Normalise
from emoviz.models.standardise import restore_scales
from emoviz.training.augmentation import ViewMaker
from emoviz.training.features import FeatureSource
from emoviz.training.precision import choices_made, take_choices
from emoviz.training.processes import Processes
from emoviz.training.recipe import Phase, Recipe
from emoviz.training.targets import Targets

_BETWEEN_EPOCHS = 5.0  # seconds: epochs on kept features are shorter than writing a state is worth
NETWORK, CENTERS, AVERAGE, OPTIMISER = "network.", "centers", "average.", "optimiser."


@dataclass
class TrainingPosition:
    """How far a training is.

    Attributes:
        phase: From 1; one more than there are when all is done.
        epoch: In the phase, from 1.
        step: Steps done in the epoch.
        total: Steps done since the start.
        sums: Over the epoch's steps: loss, entropy, intra, inter, gradient norm.
        seen: Images seen in the epoch.
        pieces: Into how many parts a batch is cut because memory is short.
        best: Lowest validation entropy so far.
        best_total: `total` when it was reached.
    """

    phase: int = 1
    epoch: int = 1
    step: int = 0
    total: int = 0
    sums: list[float] = field(default_factory=lambda: [0.0] * 5)
    seen: int = 0
    pieces: int = 1
    best: float = float("inf")
    best_total: int = -1

    def to_next_epoch(self, phase: Phase) -> None:
        """The epoch is done."""
        self.step, self.sums, self.seen = 0, [0.0] * 5, 0
        if self.epoch < phase.epochs:
            self.epoch += 1
        else:
            self.phase, self.epoch = self.phase + 1, 1

    def to_end(self, phases: Sequence[Phase]) -> None:
        """Nothing more is to be done."""
        self.step, self.sums, self.seen = 0, [0.0] * 5, 0
        self.phase, self.epoch = len(phases) + 1, 1


@dataclass
class Training:
    """What is being trained, on what, and how far it is.

    Attributes:
        recipe: What to do.
        network: Filled in place.
        loss: With the centers.
        preprocessing: Of the finished network.
        train: Targets of the training images.
        validation: Targets of the images that only watch; may be empty.
        features: Gives the features of a frozen backbone for the images of some targets.
        tell: Called with a line for people while something takes long.
        device: ``cpu`` or ``cuda``, of phases that train ``all``; the others learn from kept
            features on the CPU.
        workers: Processes that read and augment images for phases that train ``all``; 0 reads
            between the steps.
        processes: Those that share the work.
        learned_behind: Whether the layers behind the features begin with weights that were learned
            (``network.start``) and must not be changed by standardisation.
        place: How far it is.
        best: After the end, network and centers where the validation entropy was lowest, if that
            was before the end.
    """

    recipe: Recipe
    network: EmotionNetwork
    loss: ContrastiveCenterLoss
    preprocessing: Preprocessing
    train: Targets
    validation: Targets
    features: FeatureSource
    tell: Callable[[str], None] = lambda line: None
    device: str = "cpu"
    workers: int = 0
    processes: Processes = field(default_factory=Processes)
    learned_behind: bool = False
    place: TrainingPosition = field(default_factory=TrainingPosition)
    best: tuple[EmotionNetwork, Tensor] | None = None

    def __post_init__(self) -> None:
        self.maker = ViewMaker(self.preprocessing, self.recipe.augment, self.recipe.seed)
        self.normalise = Normalise(self.preprocessing.mean, self.preprocessing.std)

    @property
    def tail_moved(self) -> bool:
        """Whether the backbone behind the last Gram layer is no longer the starting one."""
        return any(phase.train == "tail" for phase in self.recipe.phases[: self.place.phase])

    def rng(self, *place: int) -> np.random.Generator:
        """Random numbers of a place in the run, the same whenever it is reached."""
        return np.random.default_rng((self.recipe.seed, *place))


def network_tensors(network: nn.Module) -> dict[str, Tensor]:
    """Every parameter and buffer, those of standardisation too."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


@dataclass(frozen=True)
class Saved:
    """What a state file holds."""

    place: TrainingPosition
    tensors: Mapping[str, Tensor]
    notes: Mapping[str, Any]
    timed: Sequence[Sequence[Any]]


class Keeper:
    """Writes a training's state now and then, and reads it again.

    Args:
        file: Of the state; None keeps nothing.
        every: Seconds between two writings within an epoch.
        tell: Called once where the state cannot be written.
        notes: Plain values that are kept along, asked for at each writing.
        keeps_best: Also keep the weights of the lowest validation entropy.
    """

    def __init__(
        self,
        file: Path | None,
        every: float = 60.0,
        tell: Callable[[str], None] = lambda line: None,
        notes: Callable[[], Mapping[str, Any]] = dict,
        keeps_best: bool = True,
    ) -> None:
        self.file = file
        self._every, self._tell, self._notes = every, tell, notes
        self._keeps_best = keeps_best
        self._last = time.monotonic()
        self._failed = False
        self._saved: Saved | None = None

    def is_due(self, epoch_ended: bool = False) -> bool:
        """Whether it is time to write; at the end of an epoch sooner than within one."""
        wait = min(self._every, _BETWEEN_EPOCHS) if epoch_ended else self._every
        return self.file is not None and time.monotonic() - self._last >= wait

    def save(
        self, state: Training, optimiser: torch.optim.Optimizer | None, average: nn.Module | None
    ) -> None:
        """Write the state aside and rename it; a full disk costs the state alone."""
        if self.file is None or not state.processes.is_first:
            return
        tensors = _learned(state)
        if average is not None:
            tensors |= {AVERAGE + k: v for k, v in network_tensors(average).items()}
        if optimiser is not None:
            tensors |= _optimiser_tensors(optimiser)
        values = {"place": asdict(state.place), "notes": self._notes(), "timed": choices_made()}
        self._write(self.file, tensors, values)
        self._last = time.monotonic()

    def save_best(self, state: Training) -> None:
        """Keep the weights of the lowest validation entropy beside the state."""
        if self.file is None or not (self._keeps_best and state.processes.is_first):
            return
        values = {"place": asdict(state.place), "notes": {}}
        self._write(self._best_file, _learned(state), values)

    def restore(self, state: Training) -> Mapping[str, Any] | None:
        """Take a training to where its state file is; what memory holds is taken when it asks.

        Returns:
            The notes of the file, or None where there is no file that can be used.

        Raises:
            TrainingError: The file is of another network.
        """
        saved = _read(self.file) if self.file is not None else None
        if saved is None:
            return None
        _fill(state, saved.tensors)
        state.place = saved.place
        take_choices(saved.timed)  # the clock may say otherwise today, and other numbers would come
        self._saved = saved
        return saved.notes

    def restore_optimiser(
        self, optimiser: torch.optim.Optimizer, average: nn.Module | None
    ) -> None:
        """Give the optimiser and the running average what the restored state holds for them."""
        saved, self._saved = self._saved, None
        if saved is None or (saved.place.epoch, saved.place.step) == (1, 0):
            return  # a phase that had not begun
        _fill_optimiser(optimiser, saved.tensors)
        if average is not None:
            _copy(network_tensors(average), saved.tensors, AVERAGE)

    def read_best(self, network: EmotionNetwork, total: int) -> Tensor | None:
        """Fill a network with the best weights and give the centers.

        Returns:
            None where there are none, or those of another step than `total`: they could not be
            kept when they were reached.
        """
        saved = _read(self._best_file) if self.file is not None else None
        if saved is None or saved.place.best_total != total:
            return None
        _copy(network_tensors(network), saved.tensors, NETWORK)
        return saved.tensors[CENTERS]

    def forget(self) -> None:
        """The training is done: drop the files."""
        if self.file is not None:
            self.file.unlink(missing_ok=True)
            self._best_file.unlink(missing_ok=True)

    @property
    def _best_file(self) -> Path:
        assert self.file is not None
        return self.file.with_name(f"best-{self.file.name}")

    def _write(self, file: Path, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        try:
            write_tensors(file, tensors, values)
        except (OSError, SafetensorError) as error:
            if not self._failed:
                self._failed = True
                self._tell(
                    f"The state cannot be kept ({error}); the training goes on, but after a crash "
                    "it would begin again from the last state that was kept."
                )


def write_tensors(file: Path, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
    """Write arrays with plain values beside them as one safetensors file, aside and renamed."""
    plain: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        here = tensor.detach().cpu().contiguous()
        # Parallel modules standardise with the same buffers; the file wants each by itself.
        plain[name] = here.clone() if here.data_ptr() in seen else here
        seen.add(here.data_ptr())
    with replaced_file(file) as aside:
        save_file(plain, aside, metadata={"values": json.dumps(values)})


def read_tensors(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What `write_tensors` wrote; None where there is no such file or it is damaged."""
    return _stored(file, with_tensors=True)


def read_values(file: Path) -> dict[str, Any] | None:
    """The plain values alone of what `write_tensors` wrote; None as in `read_tensors`."""
    found = _stored(file, with_tensors=False)
    return None if found is None else found[1]


def _stored(file: Path, with_tensors: bool) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    if not file.is_file():
        return None
    try:
        with safe_open(file, framework="pt") as stored:
            values = json.loads(stored.metadata()["values"])
            names = list(stored.keys()) if with_tensors else []
            # Copied to where torch puts its own arrays: sums over memory that begins elsewhere
            # add up in another order, and a resumed run would end a rounding error away.
            return {name: stored.get_tensor(name).clone() for name in names}, values
    except (SafetensorError, KeyError, TypeError, ValueError, OSError):
        return None


def _learned(state: Training) -> dict[str, Tensor]:
    """Weights, buffers and centers, by their names in a state file."""
    network = {NETWORK + k: v for k, v in network_tensors(state.network).items()}
    return {**network, CENTERS: state.loss.centers}


def _read(file: Path) -> Saved | None:
    found = read_tensors(file)
    if found is None:
        return None
    tensors, values = found
    known = {item.name for item in dataclasses.fields(TrainingPosition)}
    place = TrainingPosition(**{k: v for k, v in values["place"].items() if k in known})
    return Saved(place, tensors, values["notes"], values.get("timed", []))


def _fill(state: Training, tensors: Mapping[str, Tensor]) -> None:
    inner = {k.removeprefix(NETWORK): v for k, v in tensors.items() if k.startswith(NETWORK)}
    restore_scales(state.network, inner)
    _copy(network_tensors(state.network), tensors, NETWORK)
    _copy({CENTERS: state.loss.centers}, tensors, "")


@torch.no_grad()
def _copy(targets: Mapping[str, Tensor], tensors: Mapping[str, Tensor], prefix: str) -> None:
    for name, target in targets.items():
        source = tensors.get(prefix + name)
        if source is None or source.shape != target.shape:
            raise TrainingError(
                f"The kept state does not fit the recipe's network ({prefix}{name}). It is of "
                "another recipe or version; start anew in another run folder."
            )
        target.copy_(source)


def _optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimiser.state_dict()["state"]
    return {
        f"{OPTIMISER}{i}.{name}": torch.as_tensor(value)
        for i, values in state.items()
        for name, value in values.items()
        if value is not None
    }


def _fill_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(OPTIMISER):
            i, name = key.removeprefix(OPTIMISER).split(".", 1)
            state.setdefault(int(i), {})[name] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
