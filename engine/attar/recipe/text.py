"""Counting in text for expressions, right for Indic scripts: what the filters `words`, `sentences`, `chars`, `nfc` do.

The rules are those of `attar.text`, which is imported when a text is first counted.
"""

from __future__ import annotations

import unicodedata
from typing import Any


def nfc(text: Any) -> str:
    """The text in Unicode normal form C."""
    return unicodedata.normalize("NFC", _text(text))


def count_words(text: Any) -> int:
    """Number of runs of letters, marks and digits; ZWJ and ZWNJ join what stands beside them. None counts as ""."""
    from attar.text import words  # 20 ms to import; only texts need it

    return len(words(_text(text), apostrophes=False))


def count_sentences(text: Any) -> int:
    """Number of sentences with a word in them; abbreviations, initials and numbers of all known languages end none."""
    from attar.text import sentences

    return len(sentences(_text(text)))


def count_characters(text: Any) -> int:
    """Number of characters as a reader counts them: a letter with its marks is one."""
    from attar.text import characters

    return characters(_text(text))


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)
