"""The verb that opens the app: ``app``; also what ``emoviz`` alone does."""

import argparse
from typing import Any

from emoviz.settings import Settings


def add_verbs(verbs: Any) -> None:
    """Add this module's verb to the parser."""
    verb = verbs.add_parser("app", help="open the app in the browser (also: emoviz alone)")
    verb.add_argument("--port", type=int, help="where it listens on this machine (8501)")
    verb.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    verb.add_argument(
        "streamlit", nargs="*", metavar="-- OPTION", help="further options of `streamlit run`"
    )
    verb.set_defaults(verb=_app)


def _app(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.ui.serve import main

    given = [] if arguments.port is None else ["--server.port", str(arguments.port)]
    if arguments.no_browser:
        given += ["--server.headless", "true"]
    main([*given, *arguments.streamlit])
    return 0
