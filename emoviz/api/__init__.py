"""What ``import emoviz`` offers: the verbs of the command line as functions with results.

::

    net = emoviz.load("mikels8")
    net.predict("photographs/").to_pandas()
    emoviz.evaluate(net, "labels.csv").accuracy

The names are loaded when they are first used, so that ``import emoviz`` costs nothing.
"""

from emoviz.api.collecting import CollectionReview, collection
from emoviz.api.measuring import compare, evaluate
from emoviz.api.network import Network, load
from emoviz.api.opening import open
from emoviz.api.results import (
    ComparisonResult,
    Embeddings,
    EvaluationResult,
    Explanation,
    Predictions,
)
from emoviz.api.training import TrainedRun, train

__all__ = [
    "CollectionReview",
    "ComparisonResult",
    "Embeddings",
    "EvaluationResult",
    "Explanation",
    "Network",
    "Predictions",
    "TrainedRun",
    "collection",
    "compare",
    "evaluate",
    "load",
    "open",
    "train",
]
