"""Licences of the installed packages: refuses those that would bind whoever passes emoviz on.

usage: python scripts/licences.py
"""

import re
import sys
from importlib.metadata import Distribution, distributions

# Of the strong copyleft; libraries under the LGPL and MPL may be used as they are.
REFUSED = re.compile(r"\b(AGPL|GNU Affero|GPL|GNU General Public)", re.IGNORECASE)
LESSER = re.compile(r"\b(LGPL|Lesser|GPL-compatible|exception)", re.IGNORECASE)
# Looked at by hand, each with what was found.
KNOWN = {
    "uv": "only installs; MIT or Apache-2.0",
    "pillow-heif": "BSD; its wheel carries libheif (LGPL) and x265 (GPL) beside it",
    "krippendorff": "GPL; a reference that tests compare with, never passed on",
}


def licence_of(package: Distribution) -> str:
    """What a package says of its licence, in whichever of the three places; "" where in none."""
    about = package.metadata
    given = about.get("License-Expression") or ""
    classified = [
        text.rpartition("::")[2].strip()
        for text in about.get_all("Classifier") or []
        if text.startswith("License ::")
    ]
    first = (about.get("License") or "").strip().splitlines()[:1]
    return given or "; ".join(classified) or "".join(first)[:80]


def main() -> int:
    """Print what is refused or unknown; 1 where anything is refused."""
    refused, unknown, seen = [], [], set()
    for package in distributions():
        name = str(package.metadata["Name"] or "").casefold()
        if not name or name in seen or name in KNOWN or name == "emoviz":
            continue
        seen.add(name)
        licence = licence_of(package)
        if not licence:
            unknown.append(name)
        elif REFUSED.search(licence) and not LESSER.search(licence):
            refused.append(f"{name}: {licence}")
    print(f"Licences of {len(seen)} packages: {len(refused)} refused, {len(unknown)} not stated.")
    for line in refused:
        print(f"  refused: {line}")
    if unknown:
        print(f"  not stated: {', '.join(sorted(unknown))}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
