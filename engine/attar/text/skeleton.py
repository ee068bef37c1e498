"""Words as the consonants they are said with: how a name is known again in another script.

The Brahmic scripts of India share one order of letters in Unicode (that of ISCII), 0x80 code points a block, so one
table of offsets serves nine of them. Vowels, h, y, length and aspiration are left out, and sounds that scripts write
alike are one class, because a name crosses scripts by ear: शर्मा, Sharma and சர்மா have to meet, and Tamil writes k and
g, s and j, t and d, p and b with one letter each. What this costs: names that differ in those alone (Ravi, Rabi) are
one.

Classes: k (k g c q), s (s sh ch j z), t (t d th dh), p (p b f v w), n, m, r, l, and `a` for a vowel at the start.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice, product

import regex

# By offset in a block of 0x80 code points, from ka (0x15) to ha (0x39); "" says nothing.
_ROW = "k k k k n s s s s n t t t t n t t t t n n p p p p m - r r l l l p s s s -"
_BRAHMIC = {offset: sound.strip("-") for offset, sound in enumerate(_ROW.split(), 0x15)}
_BRAHMIC |= {0x58: "k", 0x59: "k", 0x5A: "k", 0x5B: "s", 0x5C: "tr", 0x5D: "tr", 0x5E: "p", 0x5F: ""}
_BRAHMIC |= {0x0B: "r", 0x43: "r", 0x44: "r"}  # vocalic r, alone and as a sign
_FLAP_BASES, _NUKTA, _VIRAMA, _ANUSVARA, _CHANDRABINDU = (0x21, 0x22), 0x3C, 0x4D, 0x02, 0x01
# Devanagari, Bengali, Gurmukhi, Gujarati, Odia, Tamil, Telugu, Kannada, Malayalam
_BLOCKS = range(0x0900, 0x0D80, 0x80)
_BENGALI, _ODIA, _TAMIL = 0x0980, 0x0B00, 0x0B80
_FINAL_M = (0x0C00, 0x0C80, 0x0D00)  # Telugu, Kannada and Malayalam write a last m as anusvara


def _table(*groups: str) -> dict[str, str]:
    """`k:abc` makes a, b and c sound as k."""
    return {letter: sound for group in groups for sound, _, letters in [group.partition(":")] for letter in letters}


_SPECIAL = _table("r:ৰർൎ", "p:ৱୱ", "n:ൺൻ", "l:ൽൾ", "k:ൿ", "t:ৎ")
_GURMUKHI_TIPPI = "ੰ"
_URDU = _table(
    "k:کكقگغخ", "s:جچزذظضژسصثش", "t:تطٹدڈة", "p:بپف", "m:م", "n:نں", "l:ل", "r:رڑ", ":ہھحهعءیيىےۓاآأإئؤ"
)  # fmt: skip
_URDU_VOWELS = "اآأإع"
_JAVANESE = _table(
    "k:ꦏꦐꦑꦒꦓ", "s:ꦕꦖꦗꦘꦙꦯꦰꦱ", "t:ꦛꦜꦝꦞꦠꦡꦢꦣ", "p:ꦥꦦꦧꦨꦮ", "m:ꦩ", "n:ꦔꦚꦟꦤꦁ", "l:ꦭꦊꦋ", "r:ꦫꦬꦂꦿꦽꦉ", ":ꦲꦪꦾ"
)  # fmt: skip
# Several letters first. More than one sound: any of them, as the language has it.
_LATIN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ksh", ("ks",)), ("tch", ("s",)), ("sch", ("s",)), ("chh", ("s",)), ("ngh", ("n", "nk")), ("ck", ("k",)),
    ("ch", ("s", "k")), ("sh", ("s",)), ("zh", ("l", "s")), ("ph", ("p",)), ("gy", ("k", "s")), ("gn", ("kn", "n")),
    ("jn", ("sn", "k")), ("ng", ("nk", "n")), ("x", ("ks",)), ("ce", ("s",)), ("ci", ("s",)), ("cy", ("s",)),
    ("c", ("k", "s")), ("ge", ("k", "s")), ("gi", ("k", "s")), ("rd", ("rt", "r")),
)  # fmt: skip
_LATIN_SINGLE = _table("k:kgq", "s:sjz", "t:td", "p:pbfvw", "m:m", "n:n", "l:l", "r:r")
# Independent vowels by their offset; a sign is 0x38 further on.
_VOWEL_ROW = "a a i i u u ai ai ai ai ai ai au au u u"
_VOWELS = dict(zip(range(0x05, 0x15), map(frozenset, _VOWEL_ROW.split()), strict=True))
_LATIN_VOWELS = {"a": "a", "e": "ia", "i": "ia", "o": "ua", "u": "ua", "ee": "i", "ii": "i", "oo": "u", "uu": "u"}
_LONG, _ENDING = 4, 4  # consonants of a word that may differ in one; of what may follow a name
_MOST = 24  # alternatives of one word; each doubtful letter doubles them
_REPEATED = regex.compile(r"(.)\1+")


@lru_cache(maxsize=16384)
def skeletons(word: str) -> frozenset[str]:
    """The consonant classes of one word, in every way it may be said; empty for a word with nothing to compare.

    Covered are Latin, the nine Brahmic scripts of India, Urdu's and Javanese; letters of other scripts say nothing.
    """
    parts = list(_sounds(unicodedata.normalize("NFC", word).casefold()))
    made = {_REPEATED.sub(r"\1", "".join(one)).replace("-", "") for one in islice(product(*parts), _MOST)}
    return frozenset(one for one in made if one)


@lru_cache(maxsize=16384)
def _first_vowel(word: str) -> frozenset[str]:
    """What the first vowel may be, of a (open), i (front), u (back). Spellings differ: English writes u for पंजाब's
    first, i for माइकल's; Bengali says o where nothing is written. Urdu leaves vowels out: any."""
    word = unicodedata.normalize("NFC", word).casefold()
    for position, char in enumerate(word):
        base, offset = ord(char) & ~0x7F, ord(char) & 0x7F
        if base in _BLOCKS:
            following = word[position + 1 : position + 2]
            if following and ord(following) == base + _NUKTA:
                following = word[position + 2 : position + 3]
            sign = ord(following) & 0x7F if following and ord(following) & ~0x7F == base else 0
            if 0x05 <= offset <= 0x14:
                return _VOWELS[offset]
            if sign == _VIRAMA or not (0x15 <= offset <= 0x39 or 0x58 <= offset <= 0x5F or char in "ৰৱୱ"):
                continue
            inherent = frozenset("au") if base in (_BENGALI, _ODIA) else frozenset("a")
            return _VOWELS[sign - 0x38] if 0x3E <= sign <= 0x4C else inherent
        if char in "aeiou":
            two = word[position : position + 2]
            return frozenset(_LATIN_VOWELS.get(two) or _LATIN_VOWELS[char])
    return frozenset("aiu")


class Spoken:
    """Many words, to be asked for names by their sound; as `same_name`, but without looking at every word each time."""

    __slots__ = ("_forms", "_near", "_starts", "_words")

    def __init__(self, several: Iterable[str]) -> None:
        self._words: set[str] = set()
        self._forms: dict[str, set[str]] = {}  # skeleton → what the first vowel of such words may be
        self._starts: dict[str, set[str]] = {}  # the same for what skeletons begin with
        self._near: dict[str, set[str]] = {}  # skeleton less one consonant → skeletons
        for word in several:
            folded = word.casefold()
            if folded in self._words:
                continue
            self._words.add(folded)
            vowels = _first_vowel(word)
            for form in skeletons(word):
                self._forms.setdefault(form, set()).update(vowels)
                for end in range(max(2, len(form) - _ENDING), len(form)):
                    self._starts.setdefault(form[:end], set()).update(vowels)
                if len(form) >= _LONG:
                    for one in _less_one(form):
                        self._near.setdefault(one, set()).add(form)

    def has(self, name: str, *, endings: bool = False) -> bool:
        """Whether one of the words may be this name (a single word).

        Args:
            endings: the word may carry more at its end, as names do where case is a suffix (ரவியின், রবির).
        """
        if name.casefold() in self._words:
            return True
        vowels = _first_vowel(name)
        for form in skeletons(name):
            if not vowels.isdisjoint(self._forms.get(form, ())):
                return True
            if endings and len(form) >= 2 and not vowels.isdisjoint(self._starts.get(form, ())):
                return True
            if len(form) >= _LONG:
                near = set().union(*(self._near.get(one, ()) for one in _less_one(form)))
                if any(_one_edit(form, other) and not vowels.isdisjoint(self._forms[other]) for other in near):
                    return True
        return False


def same_name(one: str, other: str, *, endings: bool = False) -> bool:
    """Whether two words may be one name, each in its script. Words of four consonants or more may differ in one.

    Args:
        one, other: single words.
        endings: `other` may carry more at its end.
    """
    return Spoken([other]).has(one, endings=endings)


def _less_one(form: str) -> set[str]:
    """The form itself, and with any one of its consonants left out: forms one edit apart share one of these."""
    return {form, *(form[:i] + form[i + 1 :] for i in range(len(form)))}


def _one_edit(one: str, other: str) -> bool:
    """Whether one insertion, deletion or change at most lies between two strings."""
    if abs(len(one) - len(other)) > 1:
        return False
    if len(one) > len(other):
        one, other = other, one
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    return one[start + (len(one) == len(other)) :] == other[start + 1 :] or one[start:] == other[start + 1 :]


def _sounds(word: str) -> Iterator[tuple[str, ...]]:
    """What each letter, or group of them, may sound as; "-" for what keeps two equal consonants apart."""
    position = 0
    while position < len(word):
        char = word[position]
        base = ord(char) & ~0x7F
        if base in _BLOCKS:
            taken, sounds = _brahmic(word, position, base)
            if any(sounds) and word[position + taken : position + taken + 1] != chr(base + _VIRAMA):
                sounds = tuple(sound + "-" for sound in sounds)
        elif char in _URDU or char == "و":
            taken, sounds = 1, tuple(sound and sound + "-" for sound in _urdu(char, position))
        elif char in _JAVANESE:
            taken, sounds = 1, (_JAVANESE[char] and _JAVANESE[char] + "-",)
        else:
            taken, sounds = _latin(word, position)
        position += taken
        if sounds != ("",):
            yield sounds


def _brahmic(word: str, position: int, base: int) -> tuple[int, tuple[str, ...]]:
    char, offset = word[position], ord(word[position]) & 0x7F
    if char in _SPECIAL:
        return 1, (_SPECIAL[char],)
    if offset == _ANUSVARA or char == _GURMUKHI_TIPPI:
        return 1, _nasal(word, position, base)
    if offset == _CHANDRABINDU:
        return 1, ("", "n") if word[position + 1 :] else ("",)  # चाँद: Chand
    if 0x05 <= offset <= 0x14 and offset != 0x0B:
        return 1, ("a" if position == 0 else "",)
    following = word[position + 1 : position + 4]
    if offset == 0x1C and len(following) > 1 and [ord(c) & 0x7F for c in following[:2]] == [_VIRAMA, 0x1E]:
        return 3, ("k", "sn")  # jña: Gyan, Jnana
    if offset in _FLAP_BASES:
        flap = bool(following) and ord(following[0]) == base + _NUKTA
        return (2 if flap else 1), (("t", "r") if flap else ("t",))
    if base == _TAMIL and offset == 0x15:
        return 1, ("k", "") if position else ("k",)  # மோகன்: Mohan
    if base in (_BENGALI, _ODIA) and offset == 0x2F:
        nukta = bool(following) and ord(following[0]) == base + _NUKTA
        return 1, ("",) if nukta else ("", "s")  # যাদব: Jadav, Yadav
    sound = _BRAHMIC.get(offset, "")
    return 1, ("t", "r") if sound == "tr" else (sound,)


def _nasal(word: str, position: int, base: int) -> tuple[str, ...]:
    """A nasal sign sounds as the consonant after it wants; at the end it may be none."""
    after = word[position + 1 : position + 2]
    if not after:
        return ("m",) if base in _FINAL_M else ("", "n", "m")
    return ("m",) if _BRAHMIC.get(ord(after) & 0x7F) in ("p", "m") else ("n",)


def _urdu(char: str, position: int) -> tuple[str, ...]:
    if position == 0 and char in _URDU_VOWELS:
        return ("a",)
    return ("", "p") if char == "و" else (_URDU[char],)  # و is o, u and v


def _latin(word: str, position: int) -> tuple[int, tuple[str, ...]]:
    for letters, sounds in _LATIN:
        if word.startswith(letters, position):
            return len(letters), sounds
    char = unicodedata.normalize("NFD", word[position])[0]
    if position == 0 and char in "aeiou":
        return 1, ("a",)
    return 1, (_LATIN_SINGLE.get(char, "-" if char in "aeiou" else ""),)
