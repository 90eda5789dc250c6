"""Collections from outside, in one form whatever they came from: items and problems.

One file a source: `artworks` (whatever `emoviz.data.reading` opens), `iiif` (Presentation manifests
and collections), `wikiart_emotions`. Nothing is fetched or opened here but what lists
the images; an importer yields what it finds in the source's order, and goes on after a problem.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from emoviz.data.dataset import Problem, majority


@dataclass(frozen=True)
class Place:
    """Where an image is: a file, a member of a ZIP, or an address.

    Attributes:
        path: Absolute path of the image, or of the ZIP that holds it; "" for an address.
        inside: The member of the ZIP.
        url: Address of the image as it is; "" where there is only an image service.
        service: Base address of a IIIF Image API service.
        version: Of that API, 1 to 3; 0 without one.
        level: Its compliance level, 0 to 2; -1 where it was not said.
        width: Of the whole image in pixels; 0 where it was not said.
        height: Likewise.
        sizes: (width, height) that a service of level 0 has ready.
    """

    path: str = ""
    inside: str = ""
    url: str = ""
    service: str = ""
    version: int = 0
    level: int = -1
    width: int = 0
    height: int = 0
    sizes: tuple[tuple[int, int], ...] = ()

    @property
    def is_remote(self) -> bool:
        """Whether it has to be fetched."""
        return not self.path

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without what is not known."""
        unknown = asdict(Place())
        return {name: value for name, value in asdict(self).items() if value != unknown[name]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Place":
        """What `to_dict` gave."""
        sizes = tuple((int(width), int(height)) for width, height in values.get("sizes", ()))
        return cls(**{**values, "sizes": sizes})


@dataclass(frozen=True)
class Item:
    """One image of a collection, as its source describes it; all texts may be hostile.

    Attributes:
        key: Tells it from all others of its source, today and when it is read again.
        place: Where the image is.
        title: For people; "" where the source gives none.
        artist: Likewise.
        style: Likewise; of a folder of folders, the folder.
        date: In the source's words.
        rights: A licence's address, or the source's words.
        canvas: Id of the IIIF canvas that shows it.
        manifest: Address of the manifest that names it.
        page: Address of a page about it.
        label: Emotion, where the source has one.
        shares: Emotion -> share of the votes, where people voted.
        metadata: What else the source says.
    """

    key: str
    place: Place
    title: str = ""
    artist: str = ""
    style: str = ""
    date: str = ""
    rights: str = ""
    canvas: str = ""
    manifest: str = ""
    page: str = ""
    label: str = ""
    shares: Mapping[str, float] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def answer(self) -> str:
        """The label, or what most people answered; of equal answers the first; "" for none."""
        votes = np.array([list(self.shares.values())])
        most = int(majority(votes, np.zeros(1))[0])
        return self.label or (list(self.shares)[most] if most >= 0 else "")


__all__ = ["Found", "Item", "Place", "Problem"]

Found = Item | Problem
