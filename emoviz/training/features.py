"""Features of a frozen backbone, computed once from a few views of each image and kept.

In memory for the run, and in a cache on disk for the next one with the same images. The cache
holds one file for each labelled set and layer, so that networks with other layers, and runs on
other sets together, find what they share.
"""

import functools
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from emoviz.data.dataset import Record
from emoviz.data.images import Limits
from emoviz.errors import TrainingError
from emoviz.files import replaced_file
from emoviz.models.folding import folded
from emoviz.models.gram import gram_matrix
from emoviz.models.network import EmotionNetwork, Normalise
from emoviz.models.standardise import FeatureMoments, Moments
from emoviz.training.augmentation import ViewMaker
from emoviz.training.precision import timed_precision
from emoviz.training.targets import Targets

_KEY_VERSION = 4  # of what is kept and how it is computed
_BATCH = 32


@dataclass(frozen=True)
class FrozenFeatures:
    """What a frozen backbone makes of V views of N images, kept in memory.

    Attributes:
        pooled: (V, N, C*) float32.
        grams: One (V, N, C (C + 1) / 2) float32 for each module: the upper triangles.
        maps: One (V, N, C, P) float16 for each module: P positions of the map, drawn at random
            once; the last layer's map is whole where a ``tail`` phase needs it.
        chosen: Indices of the images meant, among all that are kept; None for all.
    """

    pooled: Tensor
    grams: tuple[Tensor, ...]
    maps: tuple[Tensor, ...]
    chosen: NDArray[np.int64] | None = None

    def rows(self, index: NDArray[np.int64]) -> "FrozenFeatures":
        """Those of some of the images, without a copy."""
        return replace(self, chosen=index if self.chosen is None else self.chosen[index])

    def pooled_of(self, index: NDArray[np.int64]) -> NDArray[np.float32]:
        """(N, C*) pooled vectors of some images' plain views."""
        return self.pooled[0][torch.from_numpy(self._places(index))].numpy()

    def first_views(self, count: int) -> "FrozenFeatures":
        """Those of the first so many views, without a copy."""
        return replace(
            self,
            pooled=self.pooled[:count],
            grams=tuple(packed[:count] for packed in self.grams),
            maps=tuple(some[:count] for some in self.maps),
        )

    @property
    def nbytes(self) -> int:
        """Memory that all that is kept takes."""
        return sum(t.numel() * t.element_size() for t in (self.pooled, *self.grams, *self.maps))

    def batch(
        self,
        view: NDArray[np.int64],
        index: NDArray[np.int64],
        positions: int,
        rng: np.random.Generator,
    ) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        """Maps (N, C, 1, P), pooled (N, C*) and Gram matrices (N, C, C) of some images' views.

        Maps come as they are kept, in half precision: modules widen a few at a time.
        """
        index = self._places(index)
        grams = [unpacked(_some_rows(packed, view, index)) for packed in self.grams]
        maps = []
        for stored in self.maps:
            some = _some_rows(stored, view, index)
            if 0 < positions < some.shape[2]:
                some = some[:, :, rng.choice(some.shape[2], positions, replace=False)]
            maps.append(some.unsqueeze(2))
        return maps, _some_rows(self.pooled, view, index), grams

    def deepest(self, view: NDArray[np.int64], index: NDArray[np.int64]) -> Tensor:
        """The whole square map (N, C, H, H) of the last module's layer."""
        flat = _some_rows(self.maps[-1], view, self._places(index)).float()
        side = round(flat.shape[2] ** 0.5)
        return flat.view(*flat.shape[:2], side, side)

    @classmethod
    def joined(cls, parts: Sequence["FrozenFeatures"]) -> "FrozenFeatures":
        """Features of several sets of images, one after the other."""
        if len(parts) == 1:
            return parts[0]
        layers = range(len(parts[0].grams))
        return cls(
            torch.cat([part.pooled for part in parts], dim=1),
            tuple(torch.cat([part.grams[i] for part in parts], dim=1) for i in layers),
            tuple(torch.cat([part.maps[i] for part in parts], dim=1) for i in layers),
        )

    def moments(self, positions: Sequence[int] | None = None) -> FeatureMoments:
        """Means and deviations over the images meant and all views.

        Args:
            positions: H W of each whole map: then the moments are those of Gram matrices that are
                not divided by it.
        """
        every = self.places
        grams = []
        for packed, times in zip(self.grams, positions or [1] * len(self.grams), strict=True):
            of = Moments.of(packed[:, every].flatten(0, 1) * times)
            mean, std = (unpacked(part[None])[0].flatten() for part in (of.mean, of.std))
            grams.append(Moments(mean, std))
        maps = tuple(_map_moments(m, every) for m in self.maps)
        return FeatureMoments(Moments.of(self.pooled[:, every].flatten(0, 1)), tuple(grams), maps)

    @property
    def places(self) -> NDArray[np.int64]:
        """Where the images meant are kept."""
        return np.arange(self.pooled.shape[1]) if self.chosen is None else self.chosen

    def _places(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        return index if self.chosen is None else self.chosen[index]


def _map_moments(maps: Tensor, rows: NDArray[np.int64]) -> Moments:
    """Moments of the channels of (V, N, C, P), image by image: all at once would take gigabytes."""
    count, total, squares = 0, torch.zeros(maps.shape[2]), torch.zeros(maps.shape[2])
    for row in rows:
        values = maps[:, row].float()  # sums of one map in float32, of all maps in float64
        count += values.shape[0] * values.shape[2]
        total = total + values.sum(dim=2).double().sum(dim=0)
        squares = squares + values.square().sum(dim=2).double().sum(dim=0)
    mean = total / count
    std = (squares / count - mean.square()).clamp(min=0).sqrt().float()
    return Moments(mean.float(), std.clamp(min=1e-3 * float(std.mean()) + 1e-8))


@dataclass(frozen=True)
class FeatureRequest:
    """What a frozen backbone is asked for.

    Attributes:
        network: Its backbone is used in evaluation mode.
        maker: Gives the views.
        records: The images; all must be readable.
        views: V, the first of which is the plain one; the others are random.
        positions: Positions of each map that a step will use; four times as many are kept, so
            that steps differ. 0 keeps all of all maps.
        whole_last: Keep the last layer's map whole.
        progress: Called with (views done, all) as they are finished.
        tell: Told in which precision the features are computed (`emoviz.training.precision`).
    """

    network: EmotionNetwork
    maker: ViewMaker
    records: Sequence[Record]
    views: int
    positions: int
    whole_last: bool = True
    progress: Callable[[int, int], None] = lambda done, total: None
    tell: Callable[[str], None] = lambda line: None

    @property
    def files(self) -> list[str]:
        """Names in the cache, one a layer."""
        names = [f"layer-{layer}" for layer in self.network.backbone.layers]
        # Without a number of positions all maps are whole.
        if self.whole_last and self.positions and names:
            names[-1] += "-whole"
        return [f"{name}.safetensors" for name in names]

    def key(self) -> str:
        """The folder in the cache: of weights, preprocessing, augmentation, names and contents."""
        digest = hashlib.sha256()
        backbone = self.network.config.backbone
        settings = (_KEY_VERSION, backbone, self.maker, self.views, self.positions)
        digest.update(repr(settings).encode())
        for tensor in self.network.backbone.state_dict().values():
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        limits = Limits()
        for record in self.records:
            digest.update(f"{record.name}\0".encode(errors="surrogateescape"))
            digest.update(hashlib.sha256(record.read(limits)).digest())
        return digest.hexdigest()[:32]


@torch.no_grad()
def frozen_features(asked: FeatureRequest) -> FrozenFeatures:
    """Pass each image's views through the backbone once."""
    maker, records, views = asked.maker, asked.records, asked.views
    normalise = Normalise(maker.preprocessing.mean, maker.preprocessing.std)
    backbone = folded(asked.network.backbone).to(memory_format=torch.channels_last)
    order = np.arange(len(records))
    kept: _Gatherer | None = None
    done, layers = 0, len(backbone.channels)
    counts = [4 * asked.positions] * layers
    if asked.whole_last and layers:
        counts[-1] = 0
    for view in range(views):
        # A layer's positions are the same whatever other layers there are.
        generators = [_generator(maker.seed, layer, view) for layer in backbone.layers]
        seen = 0
        for index, images in maker.batches(records, order, _BATCH, None if view == 0 else view):
            _check_all_read(records, index, seen)
            seen = int(index[-1]) + 1
            batch = normalise(images).contiguous(memory_format=torch.channels_last)
            name = asked.network.config.backbone
            precision = timed_precision(name, backbone, batch, asked.tell)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision.bf16):
                features = backbone(batch)
            rows = (
                features.pooled.float(),
                *(_pack(gram_matrix(F)) for F in features.maps),
                *map(_some_positions, features.maps, counts, generators),
            )
            kept = kept or _Gatherer(rows, views, len(records))
            kept.put(view, index, rows)
            done += len(index)
            asked.progress(done, views * len(records))
    if kept is None:
        raise TrainingError("There are no images to compute features of.")
    return kept.features()


class _Gatherer:
    """Arrays for all views of all images, taken once and filled batch by batch."""

    def __init__(self, rows: Sequence[Tensor], views: int, count: int) -> None:
        self._arrays = [row.new_empty((views, count, *row.shape[1:])) for row in rows]

    def put(self, view: int, index: NDArray[np.int64], rows: Sequence[Tensor]) -> None:
        places = torch.from_numpy(index)
        for array, row in zip(self._arrays, rows, strict=True):
            array[view].index_copy_(0, places, row)

    def features(self) -> FrozenFeatures:
        """One pooled vector, then as many Gram matrices as maps."""
        pooled, *rest = self._arrays
        half = len(rest) // 2
        return FrozenFeatures(pooled, tuple(rest[:half]), tuple(rest[half:]))


def kept_features(asked: FeatureRequest, cache: Path | None) -> FrozenFeatures:
    """`frozen_features`, read from the cache where the same ones were computed before.

    A cache that cannot be written costs nothing but time.
    """
    if cache is None:
        return frozen_features(asked)
    folder = cache / asked.key()
    kept = _read_cache(folder, asked.files)
    if kept is None:
        kept = frozen_features(asked)
        written = _write_cache(folder, asked.files, kept)
        thin = replace(asked, whole_last=False)  # for runs that do without the whole last map
        if written and thin.files != asked.files:
            layer = asked.network.backbone.layers[-1]
            last = _thin(kept.maps[-1], layer, asked.maker.seed, asked.positions)
            written = _write_cache(folder, thin.files, replace(kept, maps=(*kept.maps[:-1], last)))
        if not written:
            asked.tell(
                f"The features ({kept.nbytes / 1e6:,.0f} MB) cannot be kept on the disk, which is "
                "full or closed; the training goes on with those in memory, and the next one "
                "computes them anew."
            )
    return kept


def _thin(whole: Tensor, layer: int | str, seed: int, positions: int) -> Tensor:
    """Four times so many positions of each whole map (V, N, C, P), as a pass would have kept."""
    count = 4 * positions
    if not 0 < count < whole.shape[3]:
        return whole
    thin = torch.empty((*whole.shape[:3], count), dtype=whole.dtype)
    for view in range(len(whole)):
        generator = _generator(seed, layer, view)
        for start in range(0, whole.shape[1], _BATCH):
            some = whole[view, start : start + _BATCH].unsqueeze(2)
            thin[view, start : start + _BATCH] = _some_positions(some, count, generator)
    return thin


def _read_cache(folder: Path, names: Sequence[str]) -> FrozenFeatures | None:
    try:
        pooled = load_file(folder / "pooled.safetensors")["pooled"]
        layers = [load_file(folder / name) for name in names]
        grams = tuple(layer["gram"] for layer in layers)
        return FrozenFeatures(pooled, grams, tuple(layer["map"] for layer in layers))
    except (SafetensorError, KeyError, OSError):
        return None  # not there, or damaged: written anew


def _write_cache(folder: Path, names: Sequence[str], features: FrozenFeatures) -> bool:
    """False where the disk has no room; the features are in memory all the same."""
    parts = {"pooled.safetensors": {"pooled": features.pooled}}
    for name, gram, some in zip(names, features.grams, features.maps, strict=True):
        parts[name] = {"gram": gram, "map": some.contiguous()}
    for name, arrays in parts.items():
        try:
            with replaced_file(folder / name) as aside:
                save_file(arrays, aside)
        except (OSError, SafetensorError):
            return False
    return True


class Stopwatch:
    """Tells every quarter of a minute how far a long step is."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._began, self._told = tell, time.monotonic(), time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Progress: `done` of `total` images."""
        now = time.monotonic()
        if now - self._told > 15 or done == total:
            left = (now - self._began) / done * (total - done)
            self._tell(f"  {done} of {total} images, {left:.0f} s left")
            self._told = now


class FeatureSource:
    """Features of a frozen backbone for any part of a pool of images, computed once for all.

    Args:
        fresh: Gives the network as it is before training. A network that is being trained may have
            moved its backbone's tail, and a resumed one has from the start.
        maker: Gives the views; its seed is that of the views.
        cache: Folder where they are kept; None keeps them in memory alone.
        tell: Called with a line for people while something takes long.
        pools: Sets of images that will be asked for, so that each is computed at once; none
            computes what is asked for.
        whole_last: Keep the last layer's map whole, for ``tail`` phases.
        watch: Called with (views done, all) after each batch; may raise to stop.
        whole_views: With pools, keep whole maps of so many views of every image: what is asked for
            of whole maps is then a part of these. 0 computes what is asked for.
    """

    def __init__(
        self,
        fresh: Callable[[], EmotionNetwork],
        maker: ViewMaker,
        cache: Path | None,
        tell: Callable[[str], None],
        pools: Sequence[Sequence[Record]] = (),
        whole_last: bool = True,
        watch: Callable[[int, int], None] = lambda done, total: None,
        whole_views: int = 0,
    ) -> None:
        self._maker, self._cache, self._tell, self._pools = maker, cache, tell, pools
        self._fresh, self._whole_last, self._watch = fresh, whole_last, watch
        self._whole_views = whole_views if pools else 0
        self._network: EmotionNetwork | None = None
        self._kept: dict[tuple[int, int], FrozenFeatures] = {}
        every = (record for pool in pools for record in pool)
        self._place = {record: i for i, record in enumerate(every)}

    def of(self, targets: Targets, views: int, positions: int) -> FrozenFeatures:
        """The features of the targets' images.

        Raises:
            TrainingError: An image cannot be read any more.
        """
        if not self._pools:
            return self._computed(targets.records, views, positions)
        key = (max(views, self._whole_views) if positions == 0 else views, positions)
        if key not in self._kept and key[0] == 1 and positions and not self._whole_last:
            # Plain views are kept whole for the images that are held out: no second pass.
            self._kept[key] = self._plain(positions)
        elif key not in self._kept:
            parts = [self._computed(pool, *key) for pool in self._pools]
            self._kept[key] = FrozenFeatures.joined(parts)
        index = np.array([self._place[record] for record in targets.records], np.int64)
        return self._kept[key].first_views(views).rows(index)

    def _plain(self, positions: int) -> FrozenFeatures:
        """Plain views with four times so many positions of each map, out of the whole ones."""
        if (1, 0) not in self._kept:
            parts = [self._computed(pool, 1, 0) for pool in self._pools]
            self._kept[1, 0] = FrozenFeatures.joined(parts)
        whole = self._kept[1, 0]
        if self._network is None:
            self._network = self._fresh()
        layers = zip(self._network.backbone.layers, whole.maps, strict=True)
        maps = [_thin(maps, layer, self._maker.seed, positions) for layer, maps in layers]
        return replace(whole, maps=tuple(maps))

    @property
    def is_whole(self) -> bool:
        """Whether whole maps of every image are kept, once and for all splits."""
        return self._whole_views > 0

    def _computed(self, records: Sequence[Record], views: int, positions: int) -> FrozenFeatures:
        if self._network is None:
            self._network = self._fresh()
        self._tell(f"Features of the frozen backbone, {len(records)} images, {views} views ...")
        progress = self._watched(Stopwatch(self._tell))
        request = (self._network, self._maker, records, views, positions, self._whole_last)
        return kept_features(FeatureRequest(*request, progress, self._tell), self._cache)

    def _watched(self, progress: Callable[[int, int], None]) -> Callable[[int, int], None]:
        def step(done: int, total: int) -> None:
            progress(done, total)
            self._watch(done, total)

        return step


def _generator(seed: int, layer: int | str, view: int) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}/{layer}/{view}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def _check_all_read(records: Sequence[Record], index: NDArray[np.int64], first: int) -> None:
    """Features stand in the images' order, so none may be missing."""
    last = min(-(-(int(index[-1]) + 1) // _BATCH) * _BATCH, len(records))
    missing = sorted(set(range(first, last)) - set(index.tolist()))
    if missing:
        names = ", ".join(records[i].name for i in missing[:5])
        raise TrainingError(
            f"{names} cannot be read any more. Put the images back and go on with --resume, or "
            "begin a new run without them."
        )


def _some_rows(kept: Tensor, view: NDArray[np.int64], index: NDArray[np.int64]) -> Tensor:
    """(N, ...) copies of some images' views out of (V, images, ...), whole rows at a time."""
    rows = torch.from_numpy(view.astype(np.int64) * kept.shape[1] + index)
    return kept.flatten(0, 1).index_select(0, rows)


def _some_positions(maps: Tensor, count: int, generator: torch.Generator) -> Tensor:
    flat = maps.flatten(2)
    if 0 < count < flat.shape[2]:
        flat = flat[:, :, torch.randperm(flat.shape[2], generator=generator)[:count]]
    return flat.half()


def _pack(gram: Tensor) -> Tensor:
    """(N, C, C) symmetric -> (N, C (C + 1) / 2)."""
    i, j = torch.triu_indices(gram.shape[1], gram.shape[1])
    return gram[:, i, j]


def unpacked(packed: Tensor) -> Tensor:
    """(N, C (C + 1) / 2) -> (N, C, C) symmetric."""
    places, side = _triangle(packed.shape[1])
    rows = np.take(packed.numpy(), places, axis=1)
    return torch.from_numpy(rows).view(packed.shape[0], side, side)


@functools.cache
def _triangle(length: int) -> tuple[NDArray[np.int64], int]:
    """Where each entry of a symmetric matrix, row after row, stands in its upper triangle."""
    side = _side(length)
    full = np.zeros((side, side), np.int64)
    i, j = np.triu_indices(side)
    full[i, j] = full[j, i] = np.arange(length)
    return full.ravel(), side


def _side(length: int) -> int:
    return int((np.sqrt(8 * length + 1) - 1) / 2)
