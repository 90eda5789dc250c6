"""The verb that opens the app, ``app``, which is what ``emoviz`` alone does; and ``plugins``."""

import argparse
import importlib
import logging
from typing import Any

from emoviz.plugins import Registry
from emoviz.settings import Settings

# Where plug-ins are looked for: a registry, or what gives it.
_REGISTRIES = (
    ("emoviz.analysis.metrics", "METRICS"),
    ("emoviz.data.importers.registry", "importers"),
    ("emoviz.review.exports", "FORMS"),
    ("emoviz.inference.explanations", "EXPLANATIONS"),
    ("emoviz.training.encoder_reading", "FORMS"),
    ("emoviz.curation.checks", "CHECKS"),
)


def add_verbs(verbs: Any) -> None:
    """Add this module's verbs to the parser."""
    verb = verbs.add_parser("app", help="open the app in the browser (also: emoviz alone)")
    verb.add_argument("--port", type=int, help="where it listens on this machine (8501)")
    verb.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    verb.add_argument(
        "streamlit", nargs="*", metavar="-- OPTION", help="further options of `streamlit run`"
    )
    verb.set_defaults(verb=_app)
    verb = verbs.add_parser("plugins", help="what other packages add, and what is left out of it")
    verb.set_defaults(verb=_plugins)


def _app(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.ui.serve import main

    given = [] if arguments.port is None else ["--server.port", str(arguments.port)]
    if arguments.no_browser:
        given += ["--server.headless", "true"]
    main([*given, *arguments.streamlit])
    return 0


def _plugins(arguments: argparse.Namespace, settings: Settings) -> int:
    logging.getLogger("emoviz.plugins").setLevel(logging.ERROR)  # printed below
    for module, name in _REGISTRIES:
        try:
            found: Any = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            print(f"{module} needs the training packages: {error}")
            continue
        registry: Registry[Any] = found() if callable(found) else found
        kind = registry.group.removeprefix("emoviz.")
        for entry in registry.added:
            print(f"{kind}: {entry} ({registry.packages[entry]})")
        for broken in registry.broken:
            print(f"{kind}: {broken}")
    return 0
