"""rag.noise: what users type is roughened by code, with a seed."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import regex
from pydantic import Field

from attar.api import Columns, Config, Context, Row, RowStep
from attar_rag.conversations.javanese import JAVANESE

_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:[-'’.,/:@_][\p{L}\p{M}\p{N}]+)*")
_NEAR: Mapping[str, str] = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok", "o": "ipl",
    "p": "ol",
    "a": "qsz", "s": "awdx", "d": "sefc", "f": "drgv", "g": "fthb", "h": "gyjn", "j": "hukm", "k": "jil", "l": "kop",
    "z": "asx", "x": "zsdc", "c": "xdfv", "v": "cfgb", "b": "vghn", "n": "bhjm", "m": "njk",
}  # fmt: skip
"""Letter → its neighbours on a QWERTY keyboard."""
_SHORTEST = 4  # shorter words would no longer be known again


class NoiseConfig(Config):
    """See Noise."""

    column: str = Field("messages", min_length=1, description="column with the messages")
    into: str | None = Field(None, min_length=1, description="column for the roughened messages; default: step name")
    role: str = Field("user", min_length=1, description="whose messages are roughened")
    typos: float = Field(0.08, ge=0, le=1, description="share of words in which a neighbouring key is hit")
    dropped: float = Field(0.08, ge=0, le=1, description="share of words that lose a letter")
    code_mix: float = Field(0.3, ge=0, le=1, description="share of Indonesian words, of those known, said in Javanese")
    keep: str | None = Field(None, description="column with a question that must stay as it is; or null")


class Noise(RowStep[NoiseConfig]):
    """Roughens the user's messages as people type: wrong keys, dropped letters, Indonesian mixed with Javanese.

    Chance follows the row's seed: the same row gets the same noise. What carries facts stays: words with a digit,
    addresses, words with a capital that do not begin a sentence, capitals alone; letters are changed in words of four
    letters or more (in scripts other than Latin a whole letter with its signs may be dropped, never a sign alone). A
    message that no chance has touched gets one typo, so that each differs where it can. Replies are not touched, and
    neither is the incoming column: the clean text stays beside the rough one.

    Writes the messages into a column named after the step (or `into`), and `<that>_edits`, the number of words changed.
    """

    Config = NoiseConfig

    @property
    def _column(self) -> str:
        return self.config.into or self.short_name

    def reads(self, incoming: Columns) -> Columns:
        kind = "list<struct<role:string,content:string>>"
        wanted = {self.config.column: kind}
        if self.config.keep is not None:
            wanted[self.config.keep] = "string?"
        return wanted

    def writes(self, incoming: Columns) -> Columns:
        kind = incoming.get(self.config.column, "json")
        return self.add(incoming, {self._column: kind, f"{self._column}_edits": "int"}, ("into",))

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any]:
        config = self.config
        kept = row[config.keep] if config.keep is not None else None
        rough, edits = [], 0
        for message in row[config.column] or ():
            said = message.get("content")
            if message.get("role") == config.role and isinstance(said, str):
                changed, count = self.roughened(said, ctx.rng, kept if isinstance(kept, str) else "")
                edits += count
                message = {**message, "content": changed}
            rough.append(message)
        return {self._column: rough, f"{self._column}_edits": edits}

    def roughened(self, text: str, rng: Random, keep: str = "") -> tuple[str, int]:
        """A text with noise, and how many of its words were changed; `keep` within it stays."""
        at = text.find(keep) if keep else -1
        spared = range(at, at + len(keep)) if at >= 0 else range(0)
        parts: list[str] = []
        edits, end = 0, 0
        able: list[tuple[int, str]] = []  # place in `parts` and word of each that could have been changed and was not
        for match in _WORD.finditer(text):
            parts.append(text[end : match.start()])
            end = match.end()
            word = match[0]
            if match.start() in spared or _is_fact(word, text[: match.start()]):
                parts.append(word)
                continue
            new = self._said(word, rng)
            edits += new != word
            if new == word and len(_letters(word)) >= _SHORTEST:
                able.append((len(parts), word))
            parts.append(new)
        parts.append(text[end:])
        if not edits and able and (self.config.typos or self.config.dropped):
            place, word = able[rng.randrange(len(able))]
            parts[place] = _typo(word, rng) if self.config.typos else _dropped(word, rng)
            edits = int(parts[place] != word)
        return "".join(parts), edits

    def _said(self, word: str, rng: Random) -> str:
        config = self.config
        mixed, wrong, short = rng.random(), rng.random(), rng.random()  # always three, so that chances do not shift
        other = JAVANESE.get(word.lower())
        if other is not None and mixed < config.code_mix:
            return other.capitalize() if word[:1].isupper() else other
        if len(_letters(word)) < _SHORTEST:
            return word
        if wrong < config.typos:
            return _typo(word, rng)
        return _dropped(word, rng) if short < config.dropped else word


def _letters(word: str) -> list[str]:
    """A word's letters, each with its signs."""
    found: list[str] = regex.findall(r"\X", word)
    return found


def _is_fact(word: str, before: str) -> bool:
    """Whether a word may be a name, a number, a code or an address; the first word of a sentence needs more than one
    capital to be one."""
    if regex.search(r"[\p{N}@_/:]", word) or "." in word:
        return True
    begins = not regex.search(r"[\p{L}\p{N}]", before) or before.rstrip()[-1:] in ".!?।…"
    return any(char.isupper() for char in (word[1:] if begins else word))


def _typo(word: str, rng: Random) -> str:
    """A word with one letter, not the first, struck on a neighbouring key; in other scripts with one letter less."""
    places = [place for place, char in enumerate(word) if place and char in _NEAR]
    if not places:
        return _dropped(word, rng)
    place = places[rng.randrange(len(places))]
    near = _NEAR[word[place]]
    return word[:place] + near[rng.randrange(len(near))] + word[place + 1 :]


def _dropped(word: str, rng: Random) -> str:
    """A word without one of its inner letters."""
    letters = _letters(word)
    if len(letters) < 3:
        return word
    place = 1 + rng.randrange(len(letters) - 2)
    return "".join(letters[:place] + letters[place + 1 :])
