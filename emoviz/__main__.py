"""``python -m emoviz``: the command line."""

import sys

from emoviz.cli import main

if __name__ == "__main__":
    sys.exit(main())
