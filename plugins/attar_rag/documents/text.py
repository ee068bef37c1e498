"""Cleaning: what every document's text goes through, whatever it was read from."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import regex

# Marks of byte order and soft hyphens are of the file, not of the text; joiners (U+200C, U+200D) belong to words.
_DEBRIS = regex.compile(r"[\ufeff\u00ad\u2060]|(?![\n\t])\p{Cc}")
_LINE_END = regex.compile(r"\r\n?|\u2028|\x85|\f|\v")
_BLANKS = regex.compile(r"\n(?:[^\S\n]*\n){3,}")
_TRAILING = regex.compile(r"[^\S\n]+(?=\n|\Z)")
_HEADING = regex.compile(r"^ {0,3}#{1,6}[ \t]+([^\n]*?)[ \t#]*$", regex.MULTILINE)
# Lines that begin something of their own are not joined to the one before.
_OWN_LINE = regex.compile(r"\s*(?:#{1,6}\s|[-*•+|>]\s?|\p{Nd}{1,3}[.)]\s|```|~~~|\Z)|[ \t]{4}")
_HYPHEN = regex.compile(r"(?<=\p{Ll}\p{M}*)[-‐]\Z")


def clean(text: str, *, unwrap: bool = False, drop_lines: Sequence[str] = ()) -> str:
    """Text in form NFC with `\\n` for line ends, without control characters, byte order marks and soft hyphens, without
    spaces at line ends and with two blank lines in a row at most.

    Args:
        text: as it was read.
        unwrap: lines of one paragraph were broken by a page's width (scans, mail): they are joined, words hyphenated
            at a line's end too.
        drop_lines: regular expressions; a line that one matches as a whole is navigation or the like, and goes.
    """
    text = _DEBRIS.sub("", _LINE_END.sub("\n", text))
    text = unicodedata.normalize("NFC", text)
    if drop_lines:
        patterns = [regex.compile(one) for one in drop_lines]
        text = "\n".join(line for line in text.split("\n") if not any(one.fullmatch(line.strip()) for one in patterns))
    if unwrap:
        text = _unwrapped(text)
    cleaned: str = _BLANKS.sub("\n\n\n", _TRAILING.sub("", text))
    return cleaned.strip("\n")


def first_heading(text: str) -> str | None:
    """Text of the first Markdown heading."""
    found = _HEADING.search(text)
    return found[1].strip() or None if found else None


def _unwrapped(text: str) -> str:
    lines: list[str] = []
    fenced = False
    for line in text.split("\n"):
        fence = line.lstrip().startswith(("```", "~~~"))
        joins = lines and lines[-1].strip() and not fenced and not _OWN_LINE.match(line)
        if joins and not lines[-1].lstrip().startswith(("#", "|", "```", "~~~")):
            before = lines[-1].rstrip()
            hyphened = _HYPHEN.search(before) is not None and line.lstrip()[:1].islower()
            lines[-1] = before[:-1] + line.lstrip() if hyphened else f"{before} {line.lstrip()}"
        else:
            lines.append(line)
        fenced ^= fence
    return "\n".join(lines)
