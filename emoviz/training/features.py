"""Features of a frozen backbone, computed once from a few views of each image and kept.

In memory for the run, and in a cache on disk for the next one with the same images.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from emoviz.data.images import Limits
from emoviz.data.records import Record
from emoviz.files import replaced_file
from emoviz.models.gram import gram_matrix
from emoviz.models.network import EmotionNetwork, Normalise
from emoviz.models.standardise import FeatureMoments, Moments
from emoviz.training.targets import Targets
from emoviz.training.views import ViewMaker

_KEY_VERSION = 2  # of what is kept and how it is computed


@dataclass(frozen=True)
class FrozenFeatures:
    """What a frozen backbone makes of V views of N images, kept in memory.

    Attributes:
        pooled: (V, N, C*) float32.
        grams: One (V, N, C (C + 1) / 2) float32 for each module: the upper triangles.
        maps: One (V, N, C, P) float16 for each module: P positions of the map, drawn at random
            once; the last module's map is whole.
        chosen: Indices of the images meant, among all that are kept; None for all.
    """

    pooled: Tensor
    grams: tuple[Tensor, ...]
    maps: tuple[Tensor, ...]
    chosen: NDArray[np.int64] | None = None

    def rows(self, index: NDArray[np.int64]) -> "FrozenFeatures":
        """Those of some of the images, without a copy."""
        return replace(self, chosen=index if self.chosen is None else self.chosen[index])

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
        """Maps (N, C, 1, P), pooled (N, C*) and Gram matrices (N, C, C) of some images' views."""
        index = self._places(index)
        grams = [_unpack(packed[view, index]) for packed in self.grams]
        maps = []
        for stored in self.maps:
            some = stored[view, index]
            if 0 < positions < some.shape[2]:
                some = some[:, :, rng.choice(some.shape[2], positions, replace=False)]
            maps.append(some.float().unsqueeze(2))
        return maps, self.pooled[view, index], grams

    def deepest(self, view: NDArray[np.int64], index: NDArray[np.int64]) -> Tensor:
        """The whole square map (N, C, H, H) of the last module's layer."""
        flat = self.maps[-1][view, self._places(index)].float()
        side = round(flat.shape[2] ** 0.5)
        return flat.view(*flat.shape[:2], side, side)

    def to_arrays(self) -> dict[str, Tensor]:
        """What the cache stores."""
        grams = {f"gram{i}": value for i, value in enumerate(self.grams)}
        maps = {f"map{i}": value.contiguous() for i, value in enumerate(self.maps)}
        return {"pooled": self.pooled, **grams, **maps}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Tensor]) -> "FrozenFeatures":
        """Read what the cache stores."""
        count = sum(name.startswith("gram") for name in arrays)
        return cls(
            arrays["pooled"],
            tuple(arrays[f"gram{i}"] for i in range(count)),
            tuple(arrays[f"map{i}"] for i in range(count)),
        )

    def moments(self) -> FeatureMoments:
        """Means and deviations over the images meant and all views."""
        every = self._places(
            np.arange(self.pooled.shape[1] if self.chosen is None else len(self.chosen))
        )
        grams = []
        for packed in self.grams:
            of = Moments.of(packed[:, every].flatten(0, 1))
            mean, std = (_unpack(part[None])[0].flatten() for part in (of.mean, of.std))
            grams.append(Moments(mean, std))
        maps = tuple(_map_moments(m, every) for m in self.maps)
        return FeatureMoments(Moments.of(self.pooled[:, every].flatten(0, 1)), tuple(grams), maps)

    def _places(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        return index if self.chosen is None else self.chosen[index]


def _map_moments(maps: Tensor, rows: NDArray[np.int64]) -> Moments:
    """Moments of the channels, summed image by image: all at once would take many gigabytes."""
    count, total, squares = 0, torch.zeros(maps.shape[2]), torch.zeros(maps.shape[2])
    for row in rows:
        values = maps[:, row].double().transpose(0, 1).flatten(1)
        count += values.shape[1]
        total = total + values.sum(dim=1)
        squares = squares + values.square().sum(dim=1)
    mean = total / count
    std = (squares / count - mean.square()).clamp(min=0).sqrt().float()
    return Moments(mean.float(), std.clamp(min=1e-3 * float(std.mean()) + 1e-8))


@torch.no_grad()
def frozen_features(
    network: EmotionNetwork,
    maker: ViewMaker,
    records: Sequence[Record],
    views: int,
    positions: int,
    progress: Callable[[int, int], None] | None = None,
) -> FrozenFeatures:
    """Pass each image's views through the backbone once.

    The first view is the plain one, the others are random.

    Args:
        network: Its backbone is used in evaluation mode.
        maker: Gives the views.
        records: The images; all must be readable.
        views: V.
        positions: Positions of each map that a step will use; four times as many are kept, so
            that steps differ, and the last map is kept whole. 0 keeps all of all maps.
        progress: Called with (images done, all) as views are finished.
    """
    normalise = Normalise(maker.preprocessing.mean, maker.preprocessing.std)
    backbone = network.backbone.eval().to(memory_format=torch.channels_last)
    order = np.arange(len(records))
    generator = torch.Generator().manual_seed(maker.seed)
    pooled: list[Tensor] = []
    grams: list[list[Tensor]] = [[] for _ in backbone.channels]
    maps: list[list[Tensor]] = [[] for _ in backbone.channels]
    done, last = 0, len(maps) - 1
    for view in range(views):
        for index, images in maker.batches(records, order, 32, None if view == 0 else view):
            batch = normalise(images).contiguous(memory_format=torch.channels_last)
            # Random views are noise anyway; the plain view is what networks are judged on.
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=view > 0):
                features = backbone(batch)
            pooled.append(features.pooled.float())
            for k, F in enumerate(features.maps):
                grams[k].append(_pack(gram_matrix(F)))
                maps[k].append(_some_positions(F, 0 if k == last else 4 * positions, generator))
            done += len(index)
            if progress is not None:
                progress(done, views * len(records))
    count = len(records)
    return FrozenFeatures(
        torch.cat(pooled).view(views, count, -1),
        tuple(torch.cat(g).view(views, count, -1) for g in grams),
        tuple(torch.cat(m).view(views, count, *m[0].shape[1:]) for m in maps),
    )


def kept_features(
    network: EmotionNetwork,
    maker: ViewMaker,
    records: Sequence[Record],
    views: int,
    positions: int,
    cache: Path | None,
    progress: Callable[[int, int], None] | None = None,
) -> FrozenFeatures:
    """`frozen_features`, read from the cache where the same ones were computed before.

    The key is made of the backbone's weights, the preprocessing, the augmentation and the names
    and contents of the images. A cache that cannot be written costs nothing but time.
    """
    file = (
        cache / f"{_key(network, maker, records, views, positions)}.safetensors" if cache else None
    )
    if file is not None and file.is_file():
        try:
            return FrozenFeatures.from_arrays(load_file(file))
        except (SafetensorError, KeyError, OSError):
            file.unlink(missing_ok=True)
    features = frozen_features(network, maker, records, views, positions, progress)
    if file is not None:
        try:
            with replaced_file(file) as aside:
                save_file(features.to_arrays(), aside)
        except (OSError, SafetensorError):
            pass  # a full disk: the features are in memory all the same
    return features


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
        maker: Gives the views; its seed is that of the views.
        cache: Folder where they are kept; None keeps them in memory alone.
        tell: Called with a line for people while something takes long.
        pool: Images that will be asked for, so that they are computed together; None computes
            what is asked for.
    """

    def __init__(
        self,
        maker: ViewMaker,
        cache: Path | None,
        tell: Callable[[str], None],
        pool: Sequence[Record] | None = None,
    ) -> None:
        self._maker, self._cache, self._tell, self._pool = maker, cache, tell, pool
        self._kept: dict[tuple[int, int], FrozenFeatures] = {}
        self._place = {record: i for i, record in enumerate(pool or ())}

    def of(
        self, network: EmotionNetwork, targets: Targets, views: int, positions: int
    ) -> FrozenFeatures:
        """The features of the targets' images; the network's backbone must not have changed."""
        if self._pool is None:
            return self._computed(network, targets.records, views, positions)
        if (views, positions) not in self._kept:
            self._kept[views, positions] = self._computed(network, self._pool, views, positions)
        index = np.array([self._place[record] for record in targets.records], np.int64)
        return self._kept[views, positions].rows(index)

    def _computed(
        self, network: EmotionNetwork, records: Sequence[Record], views: int, positions: int
    ) -> FrozenFeatures:
        self._tell(f"Features of the frozen backbone, {len(records)} images, {views} views ...")
        watch = Stopwatch(self._tell)
        return kept_features(network, self._maker, records, views, positions, self._cache, watch)


def _key(
    network: EmotionNetwork, maker: ViewMaker, records: Sequence[Record], views: int, positions: int
) -> str:
    digest = hashlib.sha256()
    settings = (
        _KEY_VERSION,
        network.config.backbone,
        network.config.layers,
        maker,
        views,
        positions,
    )
    digest.update(repr(settings).encode())
    for tensor in network.backbone.state_dict().values():
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    limits = Limits()
    for record in records:
        digest.update(f"{record.name}\0".encode(errors="surrogateescape"))
        digest.update(hashlib.sha256(record.read(limits)).digest())
    return digest.hexdigest()[:32]


def _some_positions(maps: Tensor, count: int, generator: torch.Generator) -> Tensor:
    flat = maps.flatten(2)
    if 0 < count < flat.shape[2]:
        flat = flat[:, :, torch.randperm(flat.shape[2], generator=generator)[:count]]
    return flat.half()


def _pack(gram: Tensor) -> Tensor:
    """(N, C, C) symmetric -> (N, C (C + 1) / 2)."""
    i, j = torch.triu_indices(gram.shape[1], gram.shape[1])
    return gram[:, i, j]


def _unpack(packed: Tensor) -> Tensor:
    """(N, C (C + 1) / 2) -> (N, C, C) symmetric."""
    side = _side(packed.shape[1])
    i, j = torch.triu_indices(side, side)
    full = packed.new_zeros(packed.shape[0], side, side)
    full[:, i, j] = packed
    full[:, j, i] = packed
    return full


def _side(length: int) -> int:
    return int((np.sqrt(8 * length + 1) - 1) / 2)
