"""Start the app as ``streamlit run app.py`` does, from wherever it is installed."""

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from streamlit.web import cli

from emoviz.settings import PROJECT_ROOT


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the server with the arguments of `streamlit run`; never returns.

    Args:
        arguments: Instead of the command line's own.
    """
    given = sys.argv[1:] if arguments is None else arguments
    with readable_root() as root:
        sys.argv = ["streamlit", "run", str(root / "app.py"), *given]
        cli.main()


@contextlib.contextmanager
def readable_root() -> Iterator[Path]:
    """Where ``app.py`` is, by a path that Streamlit can read: a link where a byte is no UTF-8."""
    try:
        str(PROJECT_ROOT).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory(prefix="emoviz-") as folder:
            link = Path(folder, "emoviz")
            link.symlink_to(PROJECT_ROOT, target_is_directory=True)
            yield link
    else:
        yield PROJECT_ROOT


if __name__ == "__main__":
    main()
