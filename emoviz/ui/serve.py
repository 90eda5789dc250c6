"""Start the app as ``streamlit run app.py`` does, and let links lead straight to any page.

Streamlit looks for pages in ``pages/`` before it has read ``app.py`` for the first time, finds none
(ours are in folders), and answers the first link of a fresh server with "Page not found" over the
right page. Here it is told before that ``app.py`` names the pages.
"""

import sys
from collections.abc import Sequence

from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli

from emoviz.settings import PROJECT_ROOT


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the server with the arguments of `streamlit run`; never returns.

    Args:
        arguments: Instead of the command line's own.
    """
    PagesManager.uses_pages_directory = False
    given = sys.argv[1:] if arguments is None else arguments
    sys.argv = ["streamlit", "run", str(PROJECT_ROOT / "app.py"), *given]
    cli.main()


if __name__ == "__main__":
    main()
