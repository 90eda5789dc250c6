"""In what encoding texts are that do not say so: names in ZIPs, tables of one country.

Names are short, and a library that counts letters of long texts (charset-normalizer) read 9 of 14
small tables of titles right, and 9 of 15 sets of names; neighbouring letters tell 12 and 15.
"""

import math
import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

PAGES = (
    *("shift_jis", "euc_kr", "gb2312", "big5", "cp437", "cp850", "cp1252", "cp852", "cp866"),
    *("cp1251", "koi8_r", "cp775", "cp1257", "cp1250", "cp737", "cp1253", "cp857", "cp1254"),
    *("cp862", "cp1255", "cp1256"),
)
WIDE_PAGES = ("cp932", "cp936", "cp949", "cp950")  # the first four with signs that are rare
_RARE = frozenset("þðÞÐÿ")  # of single languages, and where others have theirs
# For tables whose files exist under these names; never for what the letters look like.
OTHER_PAGES = (
    *("cp1258", "gb18030", "mac_roman", "cp874", "iso8859_2", "iso8859_4", "iso8859_5", "euc_jp"),
    *("mac_latin2", "mac_cyrillic"),
)
# From the first letter that is not ASCII on, and the one before it.
_FOREIGN = re.compile(rb"[\x00-\x7f]?[\x80-\xff].*", re.DOTALL)


def guess_encoding(texts: Sequence[bytes]) -> str:
    """UTF-8 where all are, else their code page."""
    try:
        b"".join(texts).decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        return guess_page(texts)


def guess_page(texts: Sequence[bytes], pages: Sequence[str] = (*PAGES, *WIDE_PAGES)) -> str:
    """That of some code pages in which texts make most sense that are not in UTF-8.

    Of each, 300 letters count, from its first that is not ASCII on.
    """
    some = [found[0] for text in texts if (found := _FOREIGN.search(text))]
    return min(pages, key=lambda encoding: _oddness(some, encoding))


def _oddness(names: Sequence[bytes], encoding: str) -> float:
    """How little names make sense.

    They do where they are letters of one alphabet, small after the first. Latin letters with
    accents stand among those without, letters of other alphabets among their own.
    """
    try:
        text = "\n".join(name.decode(encoding)[:300] for name in names)
    except UnicodeDecodeError:
        return math.inf
    foreign = [sign for sign in text if not sign.isascii()]
    kinds = {sign: _alphabet(sign) for sign in set(text)}
    odd = sum(not (sign.isalpha() or kinds[sign] == "COMBINING") for sign in foreign)
    rare = sum(sign in _RARE or kinds[sign] == "HALFWIDTH" for sign in foreign)
    upper = mixed = 0
    for one, other in pairwise(text):
        upper += other.isupper() and one.isalpha() and not (one.isupper() and other.isascii())
        accents = not (one.isascii() or other.isascii()) and kinds[one] == kinds[other] == "LATIN"
        joined = {kinds[one], kinds[other]} - {""}
        mixed += accents or (one.isascii() != other.isascii() and len(joined) > 1)
    alphabets = {kinds[sign] for sign in foreign} - {""}
    each = (3 * odd + 2 * upper + mixed + rare) / max(len(foreign), 1)
    return each + len(alphabets) / 2 + (encoding in WIDE_PAGES)


def _alphabet(sign: str) -> str:
    """Of a letter; "" of what is none. Chinese and Japanese signs stand in one word."""
    name = unicodedata.name(sign, "?").split()[0] if sign.isalpha() else ""
    return "CJK" if name in ("HIRAGANA", "KATAKANA") else name
