"""What code can tell of a translation without knowing what it means: the guards behind lang.check_translation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import regex

from attar.api.text import (
    LANGUAGES,
    Language,
    Number,
    characters,
    letters,
    number_differences,
    numbers,
    script_share,
    scripts,
    words,
)
from attar_lang.identify import identify, mates
from attar_lang.marks import CLOSE, OPEN, Kept, spans
from attar_lang.names import Name, capital_words, capitalised, holds, missing, split

_ENDS = "।॥۔؟.!?…。！？꧉"
_CLOSERS = " \t\n\"'”’»)]}›*_`"
_PARAGRAPHS = regex.compile(r"\n[^\S\n]*\n\s*")
_MARK = regex.compile(rf"{OPEN}\s*\p{{Nd}}*\s*{CLOSE}?|{CLOSE}")
_LATIN_WORD = regex.compile(r"\p{Script=Latin}[\p{Script=Latin}\p{M}\p{N}'’]*")
_SURE, _SURE_LETTERS = 0.9, 40  # a language other than the one wanted is believed from here on
_SHORT = 20  # characters; below it a ratio of lengths says little
_PLACES = {"url": "address", "email": "e-mail address", "placeholder": "placeholder", "code": "piece of code"}


class Fault(NamedTuple):
    """A reason code and what the translator is told."""

    code: str
    feedback: str


class Limits(NamedTuple):
    """See the config of lang.check_translation."""

    script: float = 0.9
    shortest: float = 0.5
    longest: float = 2.5


@dataclass(frozen=True, slots=True)
class Pair:
    """A text and its translation.

    Attributes:
        language, source_language: of the target and the source; None where unknown.
        kept: what lang.protect masked.
        names: names that must be there, as the source writes them.
        find_names: also look for names by their capitals.
        identify: ask the model for the language as well.
        refine: both texts are in one language, and may be equal.
    """

    source: str
    target: str
    language: Language | None = None
    source_language: Language | None = None
    kept: Sequence[Kept] = ()
    names: Sequence[str] = ()
    find_names: bool = True
    refine: bool = False
    finish: str | None = None
    identify: bool = False
    limits: Limits = field(default_factory=Limits)

    @property
    def same_language(self) -> bool:
        known = self.language is not None and self.language == self.source_language
        return self.refine or known


class Found(NamedTuple):
    """Faults in the order of their weight, and scores from 0 to 1 (1 is best)."""

    faults: list[Fault]
    scores: dict[str, float]


SCORES = ("numbers", "names", "script", "length")


def examine(pair: Pair) -> Found:
    """All faults of a translation; see lang.check_translation for the codes."""
    if not pair.target.strip():
        if not pair.source.strip():
            return Found([], dict.fromkeys(SCORES, 1.0))
        return Found([Fault("empty", "There is no translation. Translate the whole text.")], dict.fromkeys(SCORES, 0.0))
    source_numbers = numbers(pair.source, pair.source_language)
    gone, new = number_differences(source_numbers, numbers(pair.target, pair.language))
    lost_names, wanted = _names(pair)
    share = _script_share(pair)
    ratio = characters(pair.target) / max(1, characters(pair.source))
    scores = {
        "numbers": 1 - len(gone) / len(source_numbers) if source_numbers else 1.0,
        "names": 1 - len(lost_names) / wanted if wanted else 1.0,
        "script": share,
        "length": min(1.0, ratio / pair.limits.shortest, pair.limits.longest / ratio) if ratio else 0.0,
    }
    faults = [
        *_untranslated(pair),
        *_script_faults(pair, share),
        *_language_faults(pair),
        *_truncation(pair),
        *_number_faults(pair, gone, new),
        *_mark_faults(pair),
        *_place_faults(pair),
        *lost_names,
        *_length_faults(pair, ratio),
    ]
    return Found(faults, scores)


def _untranslated(pair: Pair) -> Iterator[Fault]:
    if pair.same_language or not letters(_bare(pair.source, pair)):
        return
    told = "The text was given back as it was. Translate it."
    if _flat(pair.source) == _flat(pair.target):
        yield Fault("untranslated", told)
        return
    mine = [_flat(one.text) for one in split(pair.target) if len(words(one.text)) >= 4]
    known = {_flat(one.text) for one in split(pair.source)}
    if mine and sum(1 for one in mine if one in known) * 2 > len(mine):
        yield Fault("untranslated", "Most sentences stand as they were in the source. Translate every one.")


def _flat(text: str) -> str:
    return " ".join(text.casefold().split())


def _script_share(pair: Pair) -> float:
    """Share of the target's letters in its language's scripts, what was to be kept left out."""
    if pair.language is None:
        return 1.0
    return script_share(_bare(pair.target, pair), *pair.language.scripts)


def _bare(text: str, pair: Pair) -> str:
    """The text without what may be in any script: addresses, placeholders, code, kept pieces, given names, and Latin
    words of the source: those with a capital (names, GST), or all where it is not written in Latin itself."""
    for kept in sorted({one.text for one in pair.kept} | set(pair.names), key=len, reverse=True):
        if kept.strip() and letters(kept):
            text = text.replace(kept, " ")
    text = _outside_places(text)
    if pair.language is not None and "Latin" in pair.language.scripts:
        return text
    main = next(iter(scripts(pair.source)), "")
    known = capital_words(pair.source) if main == "Latin" else set(_LATIN_WORD.findall(pair.source))
    return str(_LATIN_WORD.sub(lambda found: " " if found[0] in known else found[0], text))


def _outside_places(text: str) -> str:
    """The text without addresses, placeholders and code."""
    pieces, position = [], 0
    for start, end, _ in spans(text, tuple(_PLACES)):
        pieces.append(text[position:start])
        position = end
    return " ".join([*pieces, text[position:]])


def _script_faults(pair: Pair, share: float) -> Iterator[Fault]:
    if pair.language is not None and share < pair.limits.script:
        names = " or ".join(pair.language.scripts)
        yield Fault(
            "wrong_script",
            f"Only {share:.0%} of the letters are {names}. Write {pair.language.name} in its own script throughout.",
        )


def _language_faults(pair: Pair) -> Iterator[Fault]:
    """Another language of the same script, where that is sure."""
    if pair.language is None:
        return
    text = _bare(pair.target, pair)
    if letters(text) < _SURE_LETTERS:
        return
    found = identify(text, mates(pair.language.code), model=pair.identify)
    if found.language not in (None, pair.language.code) and found.score >= _SURE:
        other = LANGUAGES[str(found.language)].name
        yield Fault("wrong_language", f"This reads as {other}. Write {pair.language.name}.")


def _truncation(pair: Pair) -> Iterator[Fault]:
    if pair.finish == "length":
        yield Fault("truncated", "The translation was cut off before its end. Translate to the last sentence.")
        return
    if _ends(pair.source) and not _ends(pair.target):
        last = pair.target.rstrip()[-40:]
        yield Fault("truncated", f"The translation breaks off at {last!r}. Translate to the last sentence and end it.")
        return
    had, has = _paragraphs(pair.source), _paragraphs(pair.target)
    if has < had:
        yield Fault("truncated", f"The source has {had} paragraphs, the translation {has}. Leave none out.")
        return
    mine = len(split(pair.source, pair.source_language and pair.source_language.code))
    theirs = len(split(pair.target, pair.language and pair.language.code))
    if mine >= 3 and theirs < 0.6 * mine:
        yield Fault("truncated", f"The source has {mine} sentences, the translation {theirs}. Leave none out.")


def _ends(text: str) -> bool:
    bare = text.rstrip(_CLOSERS)
    return bool(bare) and (bare[-1] in _ENDS)


def _paragraphs(text: str) -> int:
    return sum(1 for part in _PARAGRAPHS.split(text) if letters(part))


def _number_faults(pair: Pair, gone: Sequence[Number], new: Sequence[Number]) -> Iterator[Fault]:
    if not gone and not new:
        if swapped := _swapped_numbers(pair):
            yield Fault(
                "number_changed",
                f"{swapped[0]} and {swapped[1]} have changed places. Keep each number in its sentence.",
            )
        return
    said = []
    if gone:
        said.append("these numbers are missing: " + ", ".join(_shown(one, pair) for one in gone[:8]))
    if new:
        said.append("these are not in the source: " + ", ".join(one.text for one in new[:8]))
    yield Fault("number_changed", f"Keep every number as it is; {'; '.join(said)}.")


def _aligned(pair: Pair) -> list[tuple[str, str]]:
    """The sentences of both texts side by side, where they are equally many and more than one; else none."""
    mine = split(pair.source, pair.source_language and pair.source_language.code)
    theirs = split(pair.target, pair.language and pair.language.code)
    if len(mine) != len(theirs) or len(mine) < 2:
        return []
    return [(one.text, other.text) for one, other in zip(mine, theirs, strict=True)]


def _swapped_numbers(pair: Pair) -> tuple[str, str] | None:
    """Two numbers that have traded sentences."""
    moved = [number_differences(*both, pair.source_language, pair.language) for both in _aligned(pair)]
    for i, (gone, new) in enumerate(moved):
        for its_gone, its_new in moved[i + 1 :]:
            mine, theirs = {one.value for one in gone}, {one.value for one in its_gone}
            there, here = {one.value for one in its_new}, {one.value for one in new}
            if mine & there and theirs & here:
                return min(mine & there), min(theirs & here)
    return None


def _shown(number: Number, pair: Pair) -> str:
    mark = next((one.mark for one in pair.kept if one.kind == "number" and one.text == number.text), "")
    return f"{number.text} ({mark})" if mark else number.text


def _mark_faults(pair: Pair) -> Iterator[Fault]:
    stray = [found for found in _MARK.findall(pair.target) if found not in pair.source]
    if stray:
        yield Fault("mark_unknown", f"{', '.join(stray[:5])} stands for nothing. Use only the marks of the source.")
    had = Counter(one.text for one in pair.kept if one.kind not in ("number", "mark"))
    lost = []
    for one in {one.text: one for one in pair.kept if one.text in had}.values():
        there = pair.target.count(one.text)
        if there < had[one.text] and not (one.kind == "name" and holds(pair.target, one.text)):
            lost.append(f"{one.mark} ({one.text})")
        elif there > max(had[one.text], pair.source.count(one.text)) and one.kind != "name":
            yield Fault("mark_repeated", f"{one.mark} ({one.text}) is used more often than in the source.")
    if lost:
        yield Fault("mark_lost", f"Keep these marks where they belong: {', '.join(lost[:8])}.")


def _place_faults(pair: Pair) -> Iterator[Fault]:
    for kind, called in _PLACES.items():
        mine = Counter(pair.source[start:end] for start, end, found in spans(pair.source, (kind,)) if found == kind)
        theirs = Counter(pair.target[start:end] for start, end, found in spans(pair.target, (kind,)) if found == kind)
        if mine == theirs:
            continue
        said = [f"{one} is missing" for one in (mine - theirs)] + [f"{one} is new" for one in (theirs - mine)]
        yield Fault(f"{kind}_changed", f"Copy every {called} unchanged: {'; '.join(said[:5])}.")


def _own_names(pair: Pair) -> list[Name]:
    """Names that the source shows by their capitals."""
    if not pair.find_names or next(iter(scripts(pair.source)), "") != "Latin":
        return []
    return capitalised(_outside_places(pair.source))


def _names(pair: Pair) -> tuple[list[Fault], int]:
    """Faults of names, and how many names were looked for."""
    masked = {one.text for one in pair.kept if one.kind == "name"}
    given = [name for name in dict.fromkeys(pair.names) if name not in masked and holds(pair.source, name)]
    lost = [name for name in given if not holds(pair.target, name)]
    found: list[Name] = []
    invented: list[Name] = []
    if pair.find_names:
        latin = next(iter(scripts(pair.source)), "") == "Latin"
        found = _own_names(pair) if latin else capitalised(_outside_places(_without_kept(pair)))
        found = [name for name in found if name.text not in given and name.text not in masked]
        if latin:
            lost += [name.text for name in missing(found, pair.target)]
        else:
            invented = missing(found, pair.source)
    faults = []
    if lost:
        faults.append(
            Fault("name_changed", f"Keep these names, or spell them by their sound: {', '.join(dict.fromkeys(lost))}.")
        )
    if invented:
        shown = ", ".join(dict.fromkeys(name.text for name in invented))
        faults.append(Fault("name_changed", f"These names are not in the source: {shown}. Spell its own names."))
    if not faults and (swapped := _swapped(pair, given)):
        faults.append(
            Fault("name_changed", f"{swapped[0]} and {swapped[1]} have changed places. Keep each name in its sentence.")
        )
    return faults, len(given) + len(found)


def _without_kept(pair: Pair) -> str:
    text = pair.target
    for one in pair.kept:
        if letters(one.text):
            text = text.replace(one.text, " ")
    return text


def _swapped(pair: Pair, given: Sequence[str]) -> tuple[str, str] | None:
    """Two names that have traded sentences, where the texts' sentences stand one to one."""
    both = _aligned(pair)
    if not both:
        return None
    mine, theirs = [one for one, _ in both], [other for _, other in both]
    names = [*given]
    if pair.find_names:
        names += [name.text for name in capitalised(pair.source)]
    names += [one.text for one in pair.kept if one.kind == "name"]
    where = [(name, *_homes(name, mine, theirs)) for name in dict.fromkeys(names)]
    for number, (one, home, away) in enumerate(where):
        for other, its_home, its_away in where[number + 1 :]:
            moved = not home & away and not its_home & its_away and bool(home) and bool(its_home)
            if moved and away & its_home and its_away & home:
                return one, other
    return None


def _homes(name: str, mine: Sequence[str], theirs: Sequence[str]) -> tuple[set[int], set[int]]:
    """Sentences that have a name, in the source and in the translation."""
    return (
        {i for i, one in enumerate(mine) if holds(one, name)},
        {i for i, one in enumerate(theirs) if holds(one, name)},
    )


def _length_faults(pair: Pair, ratio: float) -> Iterator[Fault]:
    if characters(pair.source) < _SHORT:
        return
    if ratio < pair.limits.shortest:
        yield Fault("too_short", f"The translation has {ratio:.0%} of the source's length. Leave nothing out.")
    elif ratio > pair.limits.longest:
        yield Fault("too_long", f"The translation is {ratio:.1f} times as long as the source. Add nothing.")
