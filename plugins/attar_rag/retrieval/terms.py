"""The words that texts and queries are compared by."""

from __future__ import annotations

import re
import unicodedata

import regex

_TERM = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_PLAIN = re.compile(r"[a-z0-9]+")  # the same for ASCII, faster
_JOINERS = {0x200C: None, 0x200D: None}


def terms(text: str) -> list[str]:
    """Words in NFC, case folded: runs of letters, marks and digits, so that हिन्दी is one word.

    The joiners ZWJ and ZWNJ are left out first: they change how a word looks, and not everyone types them.
    """
    if text.isascii():
        return _PLAIN.findall(text.lower())
    text = unicodedata.normalize("NFC", text)
    if "\u200c" in text or "\u200d" in text:
        text = text.translate(_JOINERS)
    found: list[str] = _TERM.findall(text.casefold())
    return found
