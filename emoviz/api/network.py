"""A trained network that is ready to be asked."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from emoviz.api.opening import text_of
from emoviz.api.results import Embeddings, Explanation, Predictions
from emoviz.checkpoints import Card, Checkpoint, open_checkpoint
from emoviz.data.dataset import Dataset
from emoviz.data.images import Limits, OpenedImage, open_image, read_file
from emoviz.data.library import known_place, locate_images
from emoviz.data.reading import expand, open_dataset, sources_of
from emoviz.errors import CheckpointError, ImageError, TaxonomyError
from emoviz.inference.abstention import abstention_of, with_abstention
from emoviz.inference.embedding import embed_collection
from emoviz.inference.predict import Model, load_model, predict
from emoviz.settings import Settings, load_settings

if TYPE_CHECKING:
    from emoviz.inference.attribution import HeatMap

Baseline = Literal["mean", "black", "blurred"]


@dataclass(frozen=True, repr=False)
class Network:
    """A checkpoint, loaded; from `load`.

    Attributes:
        checkpoint: Its card and where its files are.
        settings: Limits, threads, where the home is.
    """

    checkpoint: Checkpoint
    settings: Settings
    model: Model

    def __repr__(self) -> str:
        return f"<Network: {self.card.id}, {self.card.title}>"

    @property
    def card(self) -> Card:
        """What the checkpoint says of itself: data, measures, licence, limits."""
        return self.checkpoint.card

    @property
    def classes(self) -> tuple[str, ...]:
        """The emotions, in the order of the outputs."""
        return tuple(self.card.taxonomy.names)

    def predict(
        self, paths: str | Path | Dataset | Iterable[str | Path], *, batch: int = 32
    ) -> Predictions:
        """The model's estimate of the emotion that each image evokes.

        Args:
            paths: What `emoviz.open` takes, or what it gave; or several such places.
            batch: Images that the network sees at once.

        Returns:
            One prediction an image, in order. One that cannot be read carries its `error`, as does
            one of several places that is not there.

        Raises:
            TableError: The one place is not there, or holds no image.
            TypeError: It is no place.
        """
        limits = Limits.of(self.settings)
        if isinstance(paths, Iterable) and not isinstance(paths, str | Dataset):
            given = [known_place(self.settings, text_of(place)) for place in paths]
            sources = expand(given, self.settings)
        else:
            sources = sources_of(self._opened(paths, level=0), limits)
        found = predict(self.model, sources, limits, batch)
        chosen = abstention_of(self.checkpoint, self.settings)
        return Predictions(tuple(with_abstention(found, chosen)), self.card.taxonomy)

    def embed(self, place: str | Path | Dataset, *, batch: int = 32) -> Embeddings:
        """The table of embeddings u of a collection; what was computed before is read.

        Args:
            place: What `emoviz.open` takes, or what it gave.
            batch: Images that the network sees at once.

        Raises:
            TableError: The place is not there, or holds no image.
            TypeError: It is no place.
        """
        found = embed_collection(self.model, self._opened(place), self.settings, batch=batch)
        return Embeddings(tuple(found.parts(self.settings)))

    def _opened(self, place: str | Path | Dataset, level: int | None = None) -> Dataset:
        if isinstance(place, Dataset):
            return place
        found = locate_images(self.settings, text_of(place))
        return open_dataset(found, self.settings, level=level)

    def explain(
        self,
        image: str | Path,
        method: str = "gradcam",
        *,
        emotion: str | None = None,
        baseline: Baseline = "mean",
    ) -> Explanation:
        """Which regions of an image spoke for an emotion.

        Args:
            image: A file.
            method: ``gradcam``, ``ig`` (integrated gradients), ``occlusion``, or ``rollout``
                (attention rollout, of vision transformers alone, where `gradcam` does not fit),
                ``words`` (regions hidden in turn, as sentences), or a plug-in's. All but
                ``occlusion`` and ``words`` need PyTorch, which gives the latter names of things.
            emotion: Of `classes`; the likeliest where left out.
            baseline: Where integrated gradients begin.

        Raises:
            ImageError: The file cannot be read.
            TaxonomyError: The network has no such class.
            CheckpointError: There is no such method, or it does not fit the network.
            PluginError: The method is a plug-in's and failed.
            ValueError: There is no such baseline.
            NotInstalledError: PyTorch is not installed.
        """
        if emotion is not None:
            check_emotion(self.card, emotion)
        path = Path(image)
        preprocessing = self.card.preprocessing
        opened = open_one(path, preprocessing.short_side, self.settings)
        pixels = preprocessing.to_array(opened.pixels)
        if emotion is None:
            emotion = self.classes[int(self.model.engine.run(pixels[None]).logits[0].argmax())]
        if method == "words":
            from emoviz.inference.clauses import hide_regions, naming_if_installed

            hidden = hide_regions(
                self.model.engine, pixels, self.card, naming=naming_if_installed()
            )
            words = hidden.about(emotion)
            return Explanation(path, method, words.heat(), pixels, tuple(words.lines()))
        heat = self._heat(method, pixels, self.classes.index(emotion), baseline)
        return Explanation(path, method, heat, pixels)

    def _heat(
        self, method: str, pixels: NDArray[np.uint8], index: int, baseline: Baseline
    ) -> "HeatMap":
        from emoviz.inference.attribution import HeatMap, grad_cam, integrated_gradients, occlusion
        from emoviz.inference.explainer import load_explainer

        if method == "occlusion":
            lost = occlusion(self.model.engine, pixels, self.card.preprocessing)
            return HeatMap(self.classes[index], lost[index])
        explainer = load_explainer(self.checkpoint, self.settings)
        if method == "ig":
            return integrated_gradients(explainer, pixels, index, baseline=baseline)
        if method != "gradcam":
            from emoviz.inference.explanations import explain_by

            return explain_by(method, explainer, pixels, index)
        if not explainer.stages:
            raise CheckpointError(
                f"Checkpoint '{self.card.id}' has no stage whose maps can be had. Take another "
                "method: rollout, ig or occlusion."
            )
        return grad_cam(explainer, pixels, [index], explainer.stages[-1])[0]


def load(name: str | Path = "mikels8", *, settings: Settings | None = None) -> Network:
    """A network by its checkpoint's id or folder.

    Args:
        name: ``mikels8`` and others that come along, one of your own, or a folder.
        settings: Instead of the environment's.

    Raises:
        CheckpointError: There is none, or it cannot be used.
    """
    settings = settings or load_settings()
    checkpoint = open_checkpoint(str(name), settings)
    return Network(checkpoint, settings, load_model(checkpoint, settings))


def check_emotion(card: Card, emotion: str) -> None:
    """Raise `TaxonomyError` unless a checkpoint has a class."""
    names = card.taxonomy.names
    if emotion not in names:
        raise TaxonomyError(
            f"Checkpoint '{card.id}' has no class '{emotion}'. It has: {', '.join(names)}."
        )


def open_one(path: Path, short_side: int, settings: Settings) -> OpenedImage:
    """One image of a file; `ImageError` names it."""
    limits = Limits.of(settings)
    try:
        return open_image(read_file(path, limits), limits, short_side)
    except ImageError as error:
        raise ImageError(f"{path} cannot be read: {error}.") from None
