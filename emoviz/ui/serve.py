"""Start the app as ``streamlit run app.py`` does, and let links lead straight to any page.

Streamlit looks for pages in ``pages/`` before it has read ``app.py`` for the first time, finds none
(ours are in folders), and answers the first link of a fresh server with "Page not found" over the
right page. Here it is told before that ``app.py`` names the pages.
"""

import sys

from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli

from emoviz.settings import PROJECT_ROOT


def main() -> None:
    """Run the server with the arguments of the command line; never returns."""
    PagesManager.uses_pages_directory = False
    sys.argv = ["streamlit", "run", str(PROJECT_ROOT / "app.py"), *sys.argv[1:]]
    cli.main()


if __name__ == "__main__":
    main()
