"""emoviz: which emotion does an image evoke, and why does the network say so?

::

    import emoviz

    net = emoviz.load("mikels8")
    net.predict("photographs/").to_pandas()
    emoviz.evaluate(net, "labels.csv").accuracy

The names are those of `emoviz.api`, loaded when they are first used.
"""

import importlib
import os

# Else ONNX Runtime (from 1.31 on) keeps a number of this machine and events for Microsoft.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "1.0.0"
_API = ("load", "open", "evaluate", "compare", "train", "collection")

__all__ = ["__version__", *_API]


def __getattr__(name: str) -> object:
    if name in _API:
        return getattr(importlib.import_module("emoviz.api"), name)
    raise AttributeError(f"module 'emoviz' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_API})
