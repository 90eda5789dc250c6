"""The command line: the same verbs as the pages, without a screen.

Each verb imports what it needs when it runs: a prediction waits for neither torch nor Streamlit.
"""

import argparse
import contextlib
import importlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from emoviz import __version__
from emoviz.errors import EmovizError, NotInstalledError
from emoviz.files import printable, unwritable
from emoviz.settings import load_settings

# Module -> its verbs, in the order that people see: only that of the verb asked for is loaded.
_VERBS: Mapping[str, tuple[str, ...]] = {
    "starting": ("app", "plugins"),
    "images": ("predict", "checkpoints", "checkpoint"),
    "explaining": ("explain", "texture"),
    "style": ("style",),
    "embedding": ("embed",),
    "merging": ("merge",),
    "exploring": ("project", "measure", "centers"),
    "collecting": ("collection",),
    "reviewing": ("review", "backup"),
    "curating": ("data",),
    "measuring": ("evaluate", "compare", "ask"),
    "training": ("recipes", "add-encoder", "train", "sweep", "promote", "experiment"),
}
TRAINING_PACKAGES = {"torch", "torchvision", "timm", "captum", "accelerate", "onnxscript"}
INSTALL = "    pip install 'emoviz[train]'"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 where at least one image was read (or the verb did its work), 1 where cells of an
        experiment failed, 2 where no image was read or the arguments cannot be used, 130 after
        Ctrl-C.
    """
    given = sys.argv[1:] if argv is None else list(argv)
    given = given or ["app"]
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a file's name may be no text at all
    try:
        arguments = make_parser(given[0]).parse_args(given)
        settings = load_settings()
        code = int(arguments.verb(arguments, settings))
        sys.stdout.flush()
        return code
    except NotInstalledError as error:
        print(f"emoviz: {error}\n{INSTALL}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if str(error.name).split(".")[0] not in TRAINING_PACKAGES:
            raise
        print(f"emoviz: This needs the package {error.name}.\n{INSTALL}", file=sys.stderr)
        return 2
    except EmovizError as error:
        print(f"emoviz: {printable(str(error), lines=True)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("emoviz: stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a full disk, a home that may not be written
        print(f"emoviz: {_in_words(error)}", file=sys.stderr)
        return 2


def _in_words(error: OSError) -> str:
    if not isinstance(error.filename, str | bytes):
        return str(error)
    path = Path(os.fsdecode(error.filename))
    if unwritable(path.parent):
        return f"'{path.parent}' cannot be written: {error.strerror}."
    return f"'{path}': {error.strerror}."


def make_parser(verb: str = "") -> argparse.ArgumentParser:
    """All verbs with their options; the documentation is made of it too.

    Args:
        verb: Where it is one, the parser knows it and its neighbours alone.
    """
    parser = argparse.ArgumentParser(
        prog="emoviz",
        description="Estimate the emotion that images evoke, and measure it. Without a verb: app.",
    )
    parser.add_argument("--version", action="version", version=f"emoviz {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    wanted = [module for module, own in _VERBS.items() if verb in own] or list(_VERBS)
    for module in wanted:
        importlib.import_module(f"emoviz.cli.{module}").add_verbs(verbs)
    return parser
