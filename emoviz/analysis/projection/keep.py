"""Maps on disk: one npz file each, without pickle."""

import json
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from emoviz.analysis.projection.fit import Projection
from emoviz.errors import AnalysisError
from emoviz.files import replaced_file

_FORMAT = 1
_ABOUT = tuple(item.name for item in fields(Projection) if item.name != "coordinates")


def save_projection(path: Path, projection: Projection) -> None:
    """Write a map, whole or not at all.

    Raises:
        OSError: The disk is full or the folder cannot be written; what was there stays.
    """
    about = {name: getattr(projection, name) for name in _ABOUT}
    about["settings"], about["versions"] = dict(about["settings"]), dict(about["versions"])
    with replaced_file(path) as aside, aside.open("wb") as stream:
        np.savez(
            stream,
            about=np.array(json.dumps({"format": _FORMAT, **about})),
            coordinates=projection.coordinates,
        )


def load_projection(path: Path) -> Projection:
    """Read a map that `save_projection` wrote.

    Raises:
        AnalysisError: The file is missing, damaged, or something else.
    """
    try:
        with path.open("rb") as stream, np.load(stream) as arrays:
            about, coordinates = json.loads(str(arrays["about"])), arrays["coordinates"]
        return _projection(about, coordinates)
    except FileNotFoundError:
        raise AnalysisError(f"There is no map {path}. Draw it again.") from None
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise AnalysisError(
            f"{path} is no map that can be read ({error}). Delete it and draw the map again."
        ) from None


def _projection(about: dict[str, Any], coordinates: Any) -> Projection:
    if about.pop("format") != _FORMAT:
        raise ValueError("it is of another format")
    wanted = (len(coordinates), about["dimensions"])
    if coordinates.shape != wanted or coordinates.dtype != np.float32:
        raise ValueError(f"coordinates are {coordinates.dtype} {coordinates.shape}")
    if not np.isfinite(coordinates).all():
        raise ValueError("coordinates hold NaN or infinity")
    about["variance"] = tuple(about["variance"])
    return Projection(coordinates=coordinates, **about)
