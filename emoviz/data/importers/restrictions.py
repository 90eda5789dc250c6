"""What a source's rights forbid or reserve, found in their words so that people read them in time.

No legal judgement: a statement that speaks of machines, or that reserves rights, is shown as it
stands, and a person decides. What is not found here may still be forbidden.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from emoviz.data.importers import Item

_LONGEST = 400
# "AI" in capitals alone: "Ai Weiwei" is an artist.
_MACHINES = re.compile(
    r"\bA\.?I\b|\bKI\b|(?i:"
    r"\bno[- ]?(?:image)?ai\b|artificial intelligence|machine[- ]?learning|deep[- ]?learning"
    r"|\btdm\b|(?:text|data)[- ](?:and[- ]data[- ])?mining|text[- ]und[- ]data[- ]mining"
    r"|neural network|(?:train|develop)\w* (?:\w+ ){0,3}(?:model|algorithm|network)s?\b"
    r"|künstliche\w* intelligenz|maschinelle\w* lernen|intelligence artificielle"
    r"|fouille de (?:textes|données)|apprentissage automatique|inteligencia artificial"
    r"|intelligenza artificiale|kunstmatige intelligentie|sztuczn\w+ inteligencj"
    r"|dirbtin\w+ intelekt|mašinin\w+ mokym|automated (?:analysis|processing)"
    r"|emotion recognition)"
)
_RESERVED = re.compile(
    r"all rights reserved|alle rechte vorbehalten|tous droits réservés|visos teisės saugomos"
    r"|rightsstatements\.org/(?:vocab|page)/(?:inc|noc-nc|noc-clr)|\bin copyright\b"
    r"|creativecommons\.org/licenses/[a-z-]*n[cd]\b|\bcc[- ]by[a-z-]*-n[cd]\b"
    r"|non[- ]?commercial|no derivative|without (?:\w+ ){0,3}(?:permission|consent)"
    r"|permission (?:is |must )|(?:not|never) be (?:reproduced|copied|used|altered|modified)"
    r"|personal use|private use|(?:educational|research|study) (?:purposes|use) only"
    r"|prohibit|forbidden|restrict|nicht gestattet|untersagt|interdit|draudžiama",
    re.IGNORECASE,
)
_SPEAKS_OF_RIGHTS = re.compile(
    r"right|licen[cs]|copyright|\buse\b|usage|terms|condition|restrict|permission|\bai\b|credit"
    r"|attribution|rechte|lizenz|nutzung|droits|teis|utilisation",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Restriction:
    """One statement, with how many artworks carry it.

    Attributes:
        statement: In the source's words, shortened where it is long.
        works: That carry it.
        machines: Whether it speaks of use by machines; else it reserves other rights.
    """

    statement: str
    works: int
    machines: bool


def is_restricting(statement: str) -> bool:
    """Whether a statement speaks of machines or reserves rights."""
    return bool(_MACHINES.search(statement) or _RESERVED.search(statement))


def restrictions(items: Iterable[Item]) -> list[Restriction]:
    """What the sources of artworks restrict: first what speaks of machines, then by number."""
    found: Counter[str] = Counter()
    for item in items:
        said = [item.rights]
        said += [text for name, text in item.metadata.items() if _SPEAKS_OF_RIGHTS.search(name)]
        found.update({text for text in said if text and is_restricting(text)})
    rows = [Restriction(_short(t), n, bool(_MACHINES.search(t))) for t, n in found.items()]
    return sorted(rows, key=lambda row: (not row.machines, -row.works, row.statement))


def _short(text: str) -> str:
    """The statement's part that restricts, where all of it is too long to be read."""
    if len(text) <= _LONGEST:
        return text
    match = _MACHINES.search(text) or _RESERVED.search(text)
    start = max(0, (match.start() if match else 0) - _LONGEST // 2)
    head, tail = "... " if start else "", " ..." if start + _LONGEST < len(text) else ""
    return f"{head}{text[start : start + _LONGEST].strip()}{tail}"
