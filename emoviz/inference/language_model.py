"""A vision-language model behind an address, asked for a distribution over emotions.

The address speaks as OpenAI's does (``/chat/completions``): llama.cpp, Ollama, vLLM, LM Studio and
others serve such models on one's own machine. Nothing leaves this machine unless a person said so;
an image goes as a JPEG of at most `SIDE` pixels without the file's own notes.
"""

import base64
import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emoviz.data.fetch import FetchCaps, checked_url, is_on_this_machine, post_json
from emoviz.data.images import thumbnail
from emoviz.errors import EmovizError, FetchError
from emoviz.settings import Settings

CLASSES = "{classes}"  # in a prompt, where the names of the classes go
PROMPT = (
    "Which emotion does this image evoke in people who look at it? Give the probability of each of "
    "these: {classes}. The probabilities add up to 1. Answer with one JSON object and nothing "
    "else, its keys exactly these names and its values numbers."
)
SIDE = 768  # pixels of an image's longer side
TIMEOUT = 120.0
_ROUNDING = 0.05  # that a distribution may lack to 1, or to 100, where it leaves classes out
_REFUSES = re.compile(
    r"\b(sorry|apologi[sz]e|cannot|can['’]t|unable|not able|won['’]t|refuse)\b", re.IGNORECASE
)
_SHOWN = 80
Kind = Literal["it refused", "it gave no distribution", "it did not answer"]


class NoAnswerError(EmovizError):
    """A model did not answer for one image.

    Args:
        kind: In which way.
        why: The particulars.
        lasting: Whether asking again would bring the same.
        gone: Whether no server is there.
    """

    def __init__(self, kind: Kind, why: str, lasting: bool = True, gone: bool = False) -> None:
        super().__init__(f"{kind}: {why}")
        self.lasting, self.gone = lasting, gone


@dataclass(frozen=True)
class LanguageModel:
    """A model behind an address.

    Attributes:
        address: Up to ``/v1``, or of ``/chat/completions`` itself.
        model: What the server calls it.
        classes: It is asked for.
        prompt: With `CLASSES` in it.
        beyond: Whether images may leave this machine, as a person has to say.
        seconds: It is waited for, at most, for one image.
        key: The address may ask for one; see `key_for`.
    """

    address: str
    model: str
    classes: tuple[str, ...]
    prompt: str = PROMPT
    beyond: bool = False
    seconds: float = TIMEOUT
    key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if CLASSES not in self.prompt:
            raise FetchError(f"the prompt does not say {CLASSES}, where the names of classes go")
        if not self.model.strip():
            raise FetchError("name the model as its server calls it")
        plainly = checked_url(self.address).scheme != "https"
        if self.key and plainly and not is_on_this_machine(self.address):
            raise FetchError("its key is sent by https alone; nothing was sent")
        if not self.beyond and not is_on_this_machine(self.address):
            host = checked_url(self.address).hostname
            raise FetchError(
                f"'{host}' is not known to be this machine: images are sent there only once "
                "somebody has allowed it; nothing was sent"
            )

    @property
    def title(self) -> str:
        """For people."""
        return self.model.strip()

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of what decides over its answers, as far as it can be known."""
        parts = (1, self._place, self.model, self.prompt, self.classes, SIDE)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    @property
    def _place(self) -> str:
        place = self.address.strip().rstrip("/")
        return place if place.endswith("/chat/completions") else f"{place}/chat/completions"

    def answer(self, image: Image.Image) -> NDArray[np.float64]:
        """(C,) probabilities of the classes.

        Raises:
            NoAnswerError: It refused, gave no distribution, or did not answer in time.
        """
        shown = base64.b64encode(thumbnail(image, SIDE, 90)).decode()
        words = self.prompt.replace(CLASSES, ", ".join(self.classes))
        question = {
            "model": self.model.strip(),
            "temperature": 0,
            "max_tokens": 64 + 24 * len(self.classes),
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": words},
                        {"type": "image_url", "image_url": {"url": _URL + shown}},
                    ],
                }
            ],
        }
        caps = FetchCaps(bytes=4_000_000, seconds=self.seconds)
        try:
            told = post_json(self._place, question, self.beyond, caps, key=self.key)
        except FetchError as error:
            raise NoAnswerError("it did not answer", str(error), False, error.unanswered) from None
        return distribution(said(told), self.classes)


def key_for(address: str, settings: Settings) -> str:
    """The key that the installation has for an address; "" for any other address."""
    place, _, key = settings.model_key.strip().partition(" ")
    return key.strip() if place.rstrip("/") == address.strip().rstrip("/") else ""


_URL = "data:image/jpeg;base64,"


def said(body: bytes) -> str:
    """The text of a server's answer.

    Raises:
        NoAnswerError: The model refused, or the server sent something else.
    """
    try:
        choice: Any = json.loads(body)["choices"][0]
        message = choice["message"]
        refusal, content = message.get("refusal"), message.get("content")
        ended = choice.get("finish_reason")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        start = body[:_SHOWN].decode(errors="replace")
        told = f"the server speaks otherwise ('{start}')"
        raise NoAnswerError("it did not answer", told, lasting=False) from None
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    if refusal or ended == "content_filter":
        raise NoAnswerError("it refused", f"'{str(refusal or content or ended)[:_SHOWN]}'")
    return str(content or "")


def distribution(text: str, classes: Sequence[str]) -> NDArray[np.float64]:
    """(C,) probabilities out of what a model said: the first JSON object that holds any.

    Shares are of their sum. Classes may be left out, as zeros, where the others add up to 1 (or
    to 100 %).

    Raises:
        NoAnswerError: There is none, or it names what is no class, or has what is no share.
    """
    found = _object(text)
    if found is None:
        refused = _REFUSES.search(text) is not None
        raise NoAnswerError(
            "it refused" if refused else "it gave no distribution", f"'{text.strip()[:_SHOWN]}'"
        )
    place = {name.casefold(): i for i, name in enumerate(classes)}
    shares, given = np.zeros(len(classes)), set[int]()
    for name, value in found.items():
        at = place.get(name.strip().casefold())
        if at is None:
            raise _no_distribution(f"it names '{name[:_SHOWN]}', which is no class")
        share = _share(value)
        if share is None:
            raise _no_distribution(f"'{str(value)[:_SHOWN]}' for {name} is no share")
        shares[at] = share
        given.add(at)
    with np.errstate(over="ignore"):
        total = float(shares.sum())
    whole = any(abs(total - one) <= _ROUNDING * one for one in (1, 100))
    if not 0 < total < math.inf or not (whole or len(given) == len(classes)):
        raise _no_distribution(f"its shares of {len(given)} classes add up to {total:g}")
    return np.asarray(shares / total)


def _no_distribution(why: str) -> NoAnswerError:
    return NoAnswerError("it gave no distribution", why)


def _object(text: str) -> dict[str, Any] | None:
    """The first JSON object in a text that holds anything but objects."""
    decoder = json.JSONDecoder()
    for start in (match.start() for match in re.finditer(r"\{", text[:20_000])):
        try:
            found, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and any(not isinstance(v, dict) for v in found.values()):
            return found
    return None


def _share(value: Any) -> float | None:
    """A number from 0 on, also as a text and with a percent sign."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value.strip().removesuffix("%") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None
