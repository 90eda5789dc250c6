"""Start the app as ``streamlit run app.py`` does, from wherever it is installed."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from streamlit.web import cli

from emoviz.settings import PROJECT_ROOT


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the server with the arguments of `streamlit run`; never returns.

    Args:
        arguments: Instead of the command line's own.
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        str(PROJECT_ROOT).encode()
    except UnicodeEncodeError:
        raise SystemExit(_by_a_link(given)) from None
    sys.argv = ["streamlit", "run", str(PROJECT_ROOT / "app.py"), *given]
    cli.main()


def _by_a_link(given: Sequence[str]) -> int:
    """The same by another path: Streamlit takes none with a byte that is no UTF-8."""
    with tempfile.TemporaryDirectory(prefix="emoviz-") as folder:
        link = Path(folder, "clone")
        link.symlink_to(PROJECT_ROOT, target_is_directory=True)
        command = [sys.executable, "-m", "streamlit", "run", str(link / "app.py"), *given]
        return subprocess.call(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(link)})


if __name__ == "__main__":
    main()
