"""Counting in text, right for Indic scripts: marks belong to their words, and a danda ends a sentence."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

_ENDS = re.compile(r"[.!?]+(?=[\s\"'”’»)\]]|$)|[।॥۔؟。！？…]+")


@lru_cache(maxsize=1)
def _patterns() -> tuple[Any, Any]:
    import regex  # 20 ms to import; only texts need it

    return regex.compile(r"[\p{L}\p{M}\p{N}]+(?:[\u200c\u200d][\p{L}\p{M}\p{N}]*)*"), regex.compile(r"\X")


def nfc(text: Any) -> str:
    """The text in Unicode normal form C."""
    return unicodedata.normalize("NFC", _text(text))


def count_words(text: Any) -> int:
    """Number of runs of letters, marks and digits; ZWJ and ZWNJ join what stands beside them. None counts as ""."""
    words, _ = _patterns()
    return sum(1 for _ in words.finditer(_text(text)))


def count_sentences(text: Any) -> int:
    """Number of pieces with a word in them between `. ! ?` (before a space or a closing quote) and `। ॥ ۔ …`."""
    words, _ = _patterns()
    return sum(1 for piece in _ENDS.split(_text(text)) if words.search(piece))


def count_characters(text: Any) -> int:
    """Number of characters as a reader counts them: a letter with its marks is one."""
    _, characters = _patterns()
    return sum(1 for _ in characters.finditer(_text(text)))


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)
