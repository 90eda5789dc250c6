"""Maps of u: two or three coordinates an image, made once, kept, and opened to new images.

Importing this package imports neither umap nor scikit-learn; fitting does.
"""

from emoviz.analysis.projection.fit import (
    DEFAULTS,
    METHODS,
    Progress,
    Projection,
    fit_projection,
    projection_key,
    warm_up,
)
from emoviz.analysis.projection.keep import load_projection, save_projection
from emoviz.analysis.projection.place import place

__all__ = [
    "DEFAULTS",
    "METHODS",
    "Progress",
    "Projection",
    "fit_projection",
    "load_projection",
    "place",
    "projection_key",
    "save_projection",
    "warm_up",
]
