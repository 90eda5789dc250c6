"""Start the app as ``streamlit run app.py`` does, from wherever it is installed."""

import sys
from collections.abc import Sequence

from streamlit.web import cli

from emoviz.settings import PROJECT_ROOT


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the server with the arguments of `streamlit run`; never returns.

    Args:
        arguments: Instead of the command line's own.
    """
    given = sys.argv[1:] if arguments is None else arguments
    sys.argv = ["streamlit", "run", str(PROJECT_ROOT / "app.py"), *given]
    cli.main()


if __name__ == "__main__":
    main()
