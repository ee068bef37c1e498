"""Which writing systems a text is in. Letters alone count: digits, marks, spaces and signs belong to no language."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Any

import regex

# The scripts of the languages in the table and the others met most; a letter of none of them is "Other".
SCRIPTS = (
    "Latin", "Devanagari", "Bengali", "Tamil", "Telugu", "Gujarati", "Kannada", "Malayalam", "Gurmukhi", "Oriya",
    "Arabic", "Javanese", "Sinhala", "Thai", "Cyrillic", "Greek", "Hebrew", "Han", "Hiragana", "Katakana", "Hangul",
    "Tibetan", "Ol_Chiki", "Meetei_Mayek", "Myanmar", "Khmer", "Lao", "Georgian", "Armenian", "Ethiopic", "Balinese",
    "Sundanese",
)  # fmt: skip
_LETTER = regex.compile(r"[\p{L}--[\p{Script=Common}\p{Script=Inherited}]]", regex.V1)


@lru_cache(maxsize=256)
def _of(*scripts: str) -> Any:
    """Letters of some scripts."""
    try:
        inner = "".join(rf"\p{{Script={name}}}" for name in scripts)
        return regex.compile(rf"[\p{{L}}&&[{inner}]]", regex.V1)
    except regex.error:
        unknown = next(name for name in scripts if not _is_script(name))
        raise ValueError(f"no script {unknown!r} in Unicode; known here: {', '.join(SCRIPTS)}") from None


def _is_script(name: str) -> bool:
    try:
        regex.compile(rf"\p{{Script={name}}}")
    except regex.error:
        return False
    return True


def letters(text: str) -> int:
    """Number of letters that belong to a script."""
    return len(_LETTER.findall(text))


def script_share(text: str, *scripts: str) -> float:
    """Share of the letters that are of these scripts, from 0 to 1; 1 for a text without letters.

    Raises:
        ValueError: a script that Unicode does not know.
    """
    found = len(_of(*scripts).findall(text)) if scripts else 0
    total = letters(text)
    return found / total if total else 1.0


@lru_cache(maxsize=8192)
def script_of(letter: str) -> str:
    """The script of one letter by its Unicode name; "Other" for those not in SCRIPTS, "" for what is no letter."""
    if not _LETTER.match(letter):
        return ""
    for name in SCRIPTS:
        if _of(name).match(letter):
            return name
    return "Other"


def scripts(text: str) -> dict[str, float]:
    """Share of each script among the letters, the greatest first; empty for a text without letters."""
    counts: Counter[str] = Counter()
    for letter, count in Counter(_LETTER.findall(text)).items():
        counts[script_of(letter)] += count
    total = counts.total()
    return {name: count / total for name, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))}
