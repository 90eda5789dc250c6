"""A classifier out of words: CLIP's image tower against prompts for each emotion (Radford 2021).

::

    t_c = mean over the prompts of c of T(prompt) / |T(prompt)|, brought to length 1
    y_c = s <P h / |P h|, t_c>             s: CLIP's learned scale

The vectors s t_c become the classifier's weights, so the checkpoint is an image tower with a linear
layer behind a unit vector, like any other on every page. The text tower stays in its own folder,
which is remembered at home: asked again, it gives the vector of any other text (`text_vectors`).
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch import Tensor

from emoviz.checkpoints import Card, Checkpoint, check_id, save_checkpoint
from emoviz.errors import NotInstalledError, TaxonomyError, TrainingError, WeightsError
from emoviz.files import read_json, write_json
from emoviz.inference.cache import fingerprint
from emoviz.inference.trust import remember
from emoviz.labels import TAXONOMIES, Taxonomy, get_taxonomy, own_taxonomy, taxonomy_of
from emoviz.models.bounded import no_larger_than
from emoviz.settings import Settings
from emoviz.training.encoder import encoder_network
from emoviz.training.encoder_reading import Clip, read_encoder
from emoviz.training.finish import versions

# Where a taxonomy's name stands for prompts. The emotion is evoked, not shown.
TEMPLATES = (
    "a picture that evokes {}",
    "an artwork that evokes {}",
    "a photo that makes people feel {}",
)
_MOST_BYTES, _MOST_PROMPTS = 1_000_000, 200
Prompts = Mapping[str, tuple[str, ...]]


def read_prompts(place: str) -> tuple[Taxonomy, Prompts]:
    """Classes and their prompts.

    Args:
        place: A taxonomy's name, which takes `TEMPLATES`; or a YAML or JSON file of the form
            ``class: [prompt, prompt]``.

    Raises:
        TrainingError: It is neither, or a class has no prompt; the message names it.
    """
    if place in TAXONOMIES:
        taxonomy = get_taxonomy(place)
        return taxonomy, {
            name: tuple(words.format(name.replace("_", " ")) for words in TEMPLATES)
            for name in taxonomy.names
        }
    path = Path(place)
    if not path.is_file():
        raise TrainingError(
            f"There is no file of prompts '{place}', nor a taxonomy of that name. Wanted: a YAML "
            f"file with 'awe: [a picture that evokes awe]', or one of {', '.join(TAXONOMIES)}."
        )
    if path.stat().st_size > _MOST_BYTES:
        raise TrainingError(f"'{path.name}' has more than 1 MB; prompts are some lines.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise TrainingError(f"'{path.name}' cannot be read: {error}.") from None
    return check_prompts(values)


def parse_prompts(text: str) -> dict[str, list[str]]:
    """Classes and prompts out of lines of the form ``class: prompt``; empty lines are passed over.

    Raises:
        TrainingError: A line has no class or no prompt; the message has its number.
    """
    found: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, colon, prompt = line.partition(":")
        if not (colon and name.strip() and prompt.strip()):
            raise TrainingError(
                f"Line {number} of the prompts is not of the form 'class: prompt', such as "
                "'awe: a picture that evokes awe'."
            )
        found.setdefault(name.strip(), []).append(prompt.strip())
    return found


def prompt_lines(prompts: Mapping[str, Sequence[str]]) -> str:
    """The inverse of `parse_prompts`: one prompt a line."""
    return "\n".join(f"{name}: {text}" for name, texts in prompts.items() for text in texts)


def check_prompts(values: Any) -> tuple[Taxonomy, Prompts]:
    """Classes and prompts out of a table of names and one or more prompts each.

    Raises:
        TrainingError: There are fewer than two classes, or one has no prompts.
    """
    if not isinstance(values, Mapping) or len(values) < 2:
        raise TrainingError("Prompts are wanted for two classes at least: 'class: [prompt, ...]'.")
    read: dict[str, tuple[str, ...]] = {}
    for name, given in values.items():
        prompts = [given] if isinstance(given, str) else given
        right = isinstance(prompts, Sequence) and 0 < len(prompts) <= _MOST_PROMPTS
        if not right or not all(isinstance(p, str) and p.strip() for p in prompts):
            raise TrainingError(
                f"The class '{name}' needs between 1 and {_MOST_PROMPTS} prompts, each a text; it "
                f"has {str(given)[:80]!r}."
            )
        read[str(name)] = tuple(p.strip() for p in prompts)
    known = taxonomy_of(read)
    if known is not None and set(known.names) == set(read):
        return known, {name: read[name] for name in known.names}
    try:
        taxonomy = own_taxonomy(f"prompts-{len(read)}-classes", read)
    except TaxonomyError as error:
        raise TrainingError(str(error)) from None
    if len(taxonomy) < len(read):
        raise TrainingError("Two classes have names that cannot be told apart.")
    return taxonomy, dict(zip(taxonomy.names, read.values(), strict=True))


def add_zero_shot(
    place: str, id: str, prompts: str, settings: Settings, tell: Callable[[str], None] = print
) -> Checkpoint:
    """Keep a CLIP with prompts for each class as a checkpoint.

    Args:
        place: A folder of transformers' or open_clip's form; see `read_encoder`.
        id: Of the checkpoint.
        prompts: See `read_prompts`.
        settings: Where checkpoints are kept.
        tell: Called with a line for people now and then.

    Raises:
        WeightsError: It is no CLIP with a text tower and a tokenizer.
        TrainingError: The prompts cannot be used.
        CheckpointError: The id cannot be used or is taken.
        NotInstalledError: transformers is not installed.
    """
    check_id(id, settings)
    taxonomy, by_class = read_prompts(prompts)
    encoder = read_encoder(place)
    if encoder.clip is None:
        raise WeightsError(
            f"{encoder.name} has no text tower of CLIP's, so prompts mean nothing to it. Bring a "
            "CLIP, or labelled images for a linear head."
        )
    clip = encoder.clip
    tell(f"{encoder.source}: {sum(map(len, by_class.values()))} prompts")
    vectors = class_vectors(clip, by_class)
    network = encoder_network(encoder, len(taxonomy), unit=len(clip.projection))
    with torch.no_grad():
        if network.projection.weight.shape != clip.projection.shape:
            raise WeightsError("The projection of the image tower is of another width than it.")
        network.projection.weight.copy_(clip.projection)  # type: ignore[operator]
        network.classifier.weight.copy_(clip.scale * vectors)
        network.classifier.bias.zero_()
    card = Card(
        id=id,
        title=f"{encoder.name}, zero-shot",
        summary=(
            f"{encoder.name} as it came ({encoder.source}), with prompts for {len(taxonomy)} "
            "classes instead of a trained head; no image was learned from here."
        ),
        taxonomy=taxonomy,
        network=network.config.to_dict(),
        preprocessing=encoder.preprocessing,
        recipe={
            "zero_shot": {
                "prompts": {name: list(texts) for name, texts in by_class.items()},
                "scale": clip.scale,
            }
        },
        versions={
            **versions(),
            "backbone_weights": encoder.source,
            "transformers": version("transformers"),
        },
        licence="Not known: after the terms of the encoder's weights.",
        intended_use="Comparing prompts and this encoder with other networks on the same images.",
        limits=(
            "Nothing was measured, and its probabilities are not calibrated: evaluate it on "
            "labelled images. It answers to words, and other words give other answers."
        ),
    )
    made = save_checkpoint(settings.user_checkpoints / id, card, network)
    remember(made, settings)
    write_json(_tower_file(made, settings), {"folder": str(Path(place).absolute())})
    return made


def text_vectors(
    checkpoint: Checkpoint, settings: Settings
) -> Callable[[str], NDArray[np.float32]]:
    """What turns a text into a vector (D,) of length 1, to be compared with this network's u.

    The cosine of the two says how well the text fits the image, as CLIP sees it.

    Raises:
        WeightsError: The network was not made of a CLIP and prompts, or the folder that it was
            made of is gone or holds another CLIP now.
        NotInstalledError: transformers is not installed.
    """
    title = checkpoint.card.title
    if not knows_words(checkpoint):
        raise WeightsError(f"'{title}' was not made of a CLIP and prompts, so it knows no words.")
    folder = Path(str((read_json(_tower_file(checkpoint, settings)) or {}).get("folder", "")))
    if not folder.is_absolute() or not folder.is_dir():
        raise WeightsError(
            f"The CLIP that '{title}' was made of is not at its place any more"
            f"{f' ({folder})' if folder.is_absolute() else ''}, and only it can read words. Bring "
            "it in once more with its prompts."
        )
    encoder = read_encoder(str(folder))
    if encoder.clip is None or encoder.source != checkpoint.card.versions.get("backbone_weights"):
        raise WeightsError(
            f"'{folder}' holds another network now than the one that '{title}' was made of. Bring "
            "it in once more with its prompts."
        )
    tower, tokens = _text_tower(encoder.clip), _tokenizer(encoder.clip)

    @torch.inference_mode()
    def vector(text: str) -> NDArray[np.float32]:
        given = tower(input_ids=tokens(text)).text_embeds[0]
        return np.asarray((given / given.norm()).numpy(), np.float32)

    return vector


def knows_words(checkpoint: Checkpoint) -> bool:
    """Whether its u are vectors of a CLIP that texts have vectors beside."""
    return "zero_shot" in checkpoint.card.recipe and bool(checkpoint.card.network.get("unit"))


def _tower_file(checkpoint: Checkpoint, settings: Settings) -> Path:
    return settings.home / "text_towers" / f"{fingerprint(checkpoint)}.json"


@torch.inference_mode()
def class_vectors(clip: Clip, prompts: Prompts) -> Tensor:
    """(C, E) a unit vector for each class: the mean of those of its prompts.

    Raises:
        WeightsError: The tokenizer is missing or of another text tower, or its arrays do not fit.
        NotInstalledError: transformers is not installed.
    """
    tower, tokens = _text_tower(clip), _tokenizer(clip)
    means = []
    for texts in prompts.values():
        given = torch.cat([tower(input_ids=tokens(text)).text_embeds for text in texts])
        means.append((given / given.norm(dim=1, keepdim=True)).mean(dim=0))
    vectors = torch.stack(means)
    unit: Tensor = vectors / vectors.norm(dim=1, keepdim=True)
    return unit


def _text_tower(clip: Clip) -> Any:
    if find_spec("transformers") is None:
        raise NotInstalledError(
            "Prompts need transformers, which is not installed: pip install 'emoviz[train]'"
        )
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    try:
        with no_larger_than(clip.text):
            tower: Any = CLIPTextModelWithProjection(CLIPTextConfig(**clip.text_config))
        wanted = tower.state_dict()
        short = {key: key.removeprefix("text_model.") for key in wanted}
        tower.load_state_dict({key: clip.text[name] for key, name in short.items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        first = str(error).strip().splitlines()[-1].strip()
        raise WeightsError(
            f"The text tower in '{clip.folder.name}' does not fit its configuration: {first}"
        ) from None
    return tower.eval()


def _tokenizer(clip: Clip) -> Callable[[str], Tensor]:
    """From a text to (1, T) numbers of its tokens, with begin and end."""
    name = clip.folder.name
    files = {file.name for file in clip.folder.iterdir()}
    if not ("tokenizer.json" in files or {"vocab.json", "merges.txt"} <= files):
        raise WeightsError(
            f"'{name}' has no tokenizer. Wanted beside the weights: tokenizer.json, or vocab.json "
            "and merges.txt, as CLIP's own folder has them."
        )
    from transformers import CLIPTokenizer

    try:
        # The class itself, so that no code named in the folder is looked for; no hub is asked.
        tokenizer: Any = CLIPTokenizer.from_pretrained(clip.folder, local_files_only=True)
    except Exception as error:  # the Rust behind it raises bare exceptions
        raise WeightsError(f"The tokenizer of '{name}' cannot be read: {error}.") from None
    longest = int(clip.text_config.get("max_position_embeddings", 77))
    most = int(clip.text_config.get("vocab_size", 49408))

    def tokens(text: str) -> Tensor:
        numbers = tokenizer(text, truncation=True, max_length=longest)["input_ids"]
        if not numbers or max(numbers) >= most:
            raise WeightsError(
                f"The tokenizer of '{name}' belongs to another text tower: it gives numbers up to "
                f"{max(numbers, default=0):,}, the tower knows {most:,}."
            )
        return torch.tensor([numbers])

    return tokens
