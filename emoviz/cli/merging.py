"""The verb that puts the parts of a whole together: ``merge``."""

import argparse
import traceback
from pathlib import Path
from typing import Any

from emoviz.cli.curating import finish_examination
from emoviz.cli.embedding import finish_embedding
from emoviz.cli.images import finish_predictions
from emoviz.cli.output import given_path
from emoviz.cli.style import finish_style
from emoviz.errors import TableError
from emoviz.settings import Settings

_FINISH = {
    "embed": finish_embedding,
    "predict": finish_predictions,
    "style": finish_style,
    "data examine": finish_examination,
}


def add_verbs(verbs: Any) -> None:
    """Add this module's verb to the parser."""
    verb = verbs.add_parser("merge", help="put the parts that --part I/N made together")
    verb.add_argument(
        "parts",
        nargs="+",
        type=given_path("file"),
        metavar="PART",
        help="all N, in any order",
    )
    verb.add_argument(
        "--out", required=True, type=Path, metavar="PATH", help="as --out of the verb of the parts"
    )
    verb.set_defaults(verb=_merge)


def _merge(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.data.parts import merged

    with merged(arguments.parts) as whole:
        finish = _FINISH.get(whole.whole.verb)
        if finish is None:
            raise TableError(f"No verb '{whole.whole.verb}' has parts; a newer emoviz made them.")
        print(f"{whole.count:,} rows of {len(arguments.parts)} parts")
        try:
            finish(whole, arguments.out, settings)
        except (KeyError, TypeError, ValueError) as error:  # a stranger's, most likely
            at = traceback.extract_tb(error.__traceback__)[-1]
            raise TableError(
                f"The parts of '{whole.whole.verb}' cannot be put together "
                f"({type(error).__name__}: {error}, {Path(at.filename).name}:{at.lineno}). Make "
                "them anew; where those do not fit either, it is a fault of emoviz."
            ) from error
    return 0
