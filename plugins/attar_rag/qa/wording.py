"""How answers break off, and how they decline."""

from __future__ import annotations

import regex

_ENDED = regex.compile(r"[.!?।॥۔؟。！？꧉][\"'”’»)\]}*_`]*$")
_OPEN = regex.compile(r"(?:[,;:—–-]|…|\.\.\.|[(\[{«“])$")
_REFUSAL = regex.compile(
    r"^\W*(?:(?:i['’]?m\s+|i\s+am\s+)?sorry\b|i\s+(?:can['’]?t|cannot|can\s+not|am\s+unable|do\s+not\s+have|don['’]t\s+have)\b|as\s+an\s+ai\b|"
    r"maaf\b|saya\s+tidak\s+(?:dapat|bisa)\b|mohon\s+maaf\b|"
    r"क्षमा\s+करें|माफ़\s+कीजिए|मुझे\s+खेद\s+है|मैं\s+(?:इसका\s+|इस\s+प्रश्न\s+का\s+)?उत्तर\s+नहीं|"
    r"மன்னிக்கவும்)"
    r"|(?:text|passage|context|document|information\s+provided)\s+(?:does\s+not|doesn['’]t)\s+(?:say|mention|contain|provide|state|specify)"
    r"|tidak\s+(?:disebutkan|ada|tersedia|dijelaskan)\s+(?:di\s+|dalam\s+)?(?:dalam\s+|di\s+)?(?:teks|konteks|dokumen|bacaan)"
    r"|(?:पाठ|गद्यांश|संदर्भ|दस्तावेज़)\s+में\s+(?:इसका\s+)?(?:उल्लेख|जानकारी)\s+नहीं",
    regex.IGNORECASE,
)


def is_cut(text: str, *, whole: bool) -> bool:
    """Whether a text breaks off.

    Args:
        whole: it has to be in whole sentences; else a phrase without a stop will do.
    """
    text = text.rstrip()
    if _OPEN.search(text):
        return True
    return whole and _ENDED.search(text) is None


def refuses(text: str) -> bool:
    """Whether an answer declines or says that the text does not tell."""
    return _REFUSAL.search(text) is not None
