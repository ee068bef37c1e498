"""Names in running text: found by their capitals, where the script has them, and in others known by their sound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import regex

from attar.api.text import WORD, Spoken, sentences, words

_CAPITALISED = regex.compile(r"\p{Lu}[\p{L}\p{M}'’-]*|\p{Lu}\.")
_CAPITALS_AT_END = regex.compile(r"(?: (?:\p{Lu}+|\p{Lu}\.))+$")  # Warga RT, Jalan A.
_BETWEEN = regex.compile(r"[ \u00a0]+|[ \u00a0]*[-–][ \u00a0]*")


def _words(text: str) -> list[str]:
    return text.split()


# Words with a capital that are translated, not spelt by sound: a sequence that holds one is no name to compare.
_TRANSLATED = frozenset(
    _words("""
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august
    september october november december senin selasa rabu kamis jumat sabtu minggu januari februari maret mei juni
    juli agustus oktober desember india indian indians bharat hindustan indonesia indonesian english hindi bengali
    tamil telugu marathi gujarati kannada malayalam punjabi odia assamese urdu sanskrit javanese inggris china chinese
    japan japanese america american britain british germany german france french russia russian europe european asia
    asian africa african arab arabic greek roman ministry minister government department university institute college
    school hospital court council committee commission board bank company corporation limited party union state states
    district republic national international central supreme high prime president chief secretary parliament assembly
    act constitution article section chapter figure table north south east west northern southern eastern western
    river ocean sea lake mount mountain island street road city village temple church mosque museum library station
    airport festival day year century war world earth sun moon god king queen prince princess sir madam mr mrs ms dr
    prof professor doctor lord lady saint the a an i in of and for to kementerian menteri pemerintah universitas
    sekolah rumah sakit negara republik presiden jalan kota desa pulau gunung sungai laut bapak ibu tuan nyonya undang
    pasal bab hindu muslim christian buddhist sikh jain islam hinduism buddhism internet email ok yes no
    """)
)


class Name(NamedTuple):
    """A name as written, and the number of the sentence it stands in (from 0)."""

    text: str
    sentence: int


def capitalised(text: str) -> list[Name]:
    """Sequences of words with a capital in Latin text, in order. The first word of a sentence, or after a colon (which
    labels a speaker or a step), counts only where another follows it, or where it stands within a sentence elsewhere;
    capitals alone (NATO) and single letters do not."""
    found: list[Name] = []
    firsts: list[Name] = []
    for number, sentence in enumerate(sentences(text)):
        for start, run in _runs(sentence.text):
            run = _CAPITALS_AT_END.sub("", run)
            if run.isupper() or len(run) < 3 or _translated(run):
                continue
            opening = sentence.text.rfind(":", 0, start) + 1
            lone_first = not WORD.search(sentence.text, opening, start) and " " not in run
            (firsts if lone_first else found).append(Name(run, number))
    inside = {name.text for name in found} | {word for name in found for word in name.text.split()}
    return sorted([*found, *(name for name in firsts if name.text in inside)], key=lambda name: name.sentence)


def capital_words(text: str) -> set[str]:
    """Words with a capital that stand within a sentence, abbreviations (GST, Rs) among them: a translation may leave
    them in Latin letters, although some of them are better translated."""
    return {
        word
        for sentence in sentences(text)
        for word in words(sentence.text)[1:]
        if _CAPITALISED.match(word) is not None
    }


def _runs(text: str) -> Iterable[tuple[int, str]]:
    """Capitalised words that follow each other with only a space or hyphen between, each run with its place."""
    start, end = -1, -1
    for match in _CAPITALISED.finditer(text):
        before = text[match.start() - 1 : match.start()]
        if before and (before.isalnum() or before in "@/_."):
            continue  # within a word, an address, a path
        if start >= 0 and _BETWEEN.fullmatch(text, end, match.start()):
            end = match.end()
            continue
        if start >= 0:
            yield start, text[start:end].rstrip("-'’")
        start, end = match.span()
    if start >= 0:
        yield start, text[start:end].rstrip("-'’")


def _translated(run: str) -> bool:
    return any(word.casefold() in _TRANSLATED for word in words(run))


@lru_cache(maxsize=512)
def _spoken(text: str) -> tuple[str, Spoken]:
    return text.casefold(), Spoken(words(text))


def holds(text: str, name: str) -> bool:
    """Whether a text has a name, written the same or spelt in another script, in any case form.

    Of a name of three words or more two thirds must be there: a title, or the word for a university, is translated.
    """
    folded, there = _spoken(text)
    if name.strip().casefold() in folded:
        return True
    parts = [part for part in words(name) if len(part) > 1 and not part.isdigit()]
    if not parts:
        return True
    if len(parts) > 1 and there.has("".join(parts), endings=True):
        return True  # रविशर्मा
    known = sum(1 for part in parts if there.has(part, endings=True))
    return known * 3 >= len(parts) * 2


def missing(names: Sequence[Name], text: str) -> list[Name]:
    """Names that a text does not have."""
    return [name for name in names if not holds(text, name.text)]
