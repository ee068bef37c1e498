"""Numbers in texts of many languages: where they stand, what they are worth, and which of two texts are not the same.

Covered: digits of all scripts, grouping and decimal marks of both ways (1,00,000.50 and 100.000,50), signs,
percentages, money, dates and times in digits, and words for lakh, crore, juta, million … straight after a number. Not
covered: numbers written in words alone (five, पाँच), Roman ones, fractions as one character (½), Tamil's signs for 10,
100 and 1000, and months as words (12 May against 12/05).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

import regex

from attar.text.digits import ascii_digits
from attar.text.languages import Language, language

Kind = Literal["number", "percent", "money", "date", "time"]

_CURRENCY = r"₹|\$|€|£|¥|₨|Rs\.?|Rp\.?|INR|IDR|USD|EUR|रु\.?|रू\.?|৳|ரூ\.?|రూ\.?|રૂ\.?|ರೂ\.?|രൂ\.?|ਰੁ\.?|ଟ\.?"
# Sees ASCII digits alone: texts are turned first, which keeps every place. It begins with a digit, so that a search
# costs little; what may stand before and behind a number is looked at when one is found.
_NUMBER = regex.compile(
    r"""
      (?P<date>(?<![\d/.-])
        (?:\d{4}(?P<s1>[-/.])\d{1,2}(?P=s1)\d{1,2}|\d{1,2}(?P<s2>[-/.])\d{1,2}(?P=s2)(?:\d{4}|\d{2}))(?![\d]|[-/.]\d))
    | (?P<time>(?<![\d:])\d{1,2}:\d{2}(?::\d{2})?(?![\d]|:\d))
    | (?P<number>\d+(?:[.,٫٬'’\u00a0\u202f]\d+)*)
    """,
    regex.VERBOSE,
)
_SIGN = regex.compile(r"(?<![\w\p{M})\]./])[-−]")
_MONEY = regex.compile(rf"(?:{_CURRENCY})\s?\Z")
_PERCENT = regex.compile(
    r"\s?[%٪]|\s(?:percent|per\scent|persen|प्रतिशत|फ़ीसदी|फीसदी|टक्के|শতাংশ|சதவீதம்|விழுக்காடு|శాతం|ટકા|ಶೇಕಡಾ|ശതമാനം|ਫ਼ੀਸਦੀ|ଶତକଡ଼ା|فیصد)"
)
_RUN = regex.compile(r"\d+")
_SEPARATOR = regex.compile(r"[^\d]")

# Words that multiply the number before them, by power of ten. Words of Indic scripts may carry an ending.
_MULTIPLIERS: dict[int, str] = {
    3: "thousand ribu ewu hazar हज़ार हजार হাজার হাজাৰ ஆயிரம் వేల వేలు హజార్ હજાર ಸಾವಿರ ആയിരം ਹਜ਼ਾਰ ହଜାର ہزار सहस्र",
    5: "lakh lakhs lac lacs लाख লাখ লক্ষ লক্ষ্ লাখ லட்சம் இலட்சம் లక్ష લાખ ಲಕ್ಷ ലക്ഷം ਲੱਖ ଲକ୍ଷ لاکھ लक्ष",
    6: "million millions juta yuta मिलियन",
    7: "crore crores करोड़ करोड कोटी कोटि কোটি கோடி కోటి కోట్లు કરોડ ಕೋಟಿ കോടി ਕਰੋੜ କୋଟି کروڑ",
    9: "billion billions miliar milyar अरब অৰ্বুদ ارب",
    12: "trillion trillions triliun खरब کھرب",
}
_POWER = {word: power for power, several in _MULTIPLIERS.items() for word in several.split()}
_MULTIPLIER = regex.compile(
    rf"[\s\u00a0-]?({'|'.join(sorted(_POWER, key=len, reverse=True))})(?![a-zA-Z])", regex.IGNORECASE
)


class Number(NamedTuple):
    """A number in a text.

    Attributes:
        text: as written, sign included, currency and percent sign left out; `whole[start:end] == text`.
        value: in ASCII with a point, without grouping (`-100000.50`); for a date or time its digits joined by `-`, `:`.
        kind: what the signs around it say.
        power: the power of ten of a word that follows (5 for lakh), else 0; not part of `value`.
    """

    text: str
    start: int
    end: int
    value: str
    kind: Kind
    power: int = 0

    @property
    def digits(self) -> str:
        """The digits alone, in ASCII."""
        return "".join(_RUN.findall(ascii_digits(self.text)))

    @property
    def amount(self) -> Decimal | None:
        """What it is worth, a multiplying word counted; None for dates, times and versions (1.2.3)."""
        if self.kind in ("date", "time"):
            return None
        try:
            return Decimal(self.value).scaleb(self.power)
        except ArithmeticError:  # 1.2.3
            return None


def numbers(text: str, language: str | Language | None = None) -> list[Number]:
    """The numbers of a text, in order.

    Args:
        text: any text, digits of any script.
        language: decides what a mark that could be either means: 1.000 is a thousand in Indonesian and Javanese, one in
            the others. What can be only one (1,00,000; 3.5) is read so everywhere. None reads as English does.

    Raises:
        UnknownLanguage: the language is not in the table.
    """
    decimal = _decimal(language)
    plain = ascii_digits(text)
    found = []
    for match in _NUMBER.finditer(plain):
        start, end = match.span()
        sign = "-" if start and match["number"] and _SIGN.match(plain, start - 1) else ""
        start -= len(sign)
        kind: Kind = "number"
        if match["date"]:
            kind, value = "date", _SEPARATOR.sub("-", match[0])
        elif match["time"]:
            kind, value = "time", match[0]
        else:
            if _PERCENT.match(plain, end):
                kind = "percent"
            elif start and _MONEY.search(plain[max(0, start - 5) : start]):
                kind = "money"
            value = sign + reading(match[0], decimal)
        word = _MULTIPLIER.match(text, end) if kind in ("number", "money") else None
        power = _POWER[word[1].lower()] if word else 0
        found.append(Number(text[start:end], start, end, value, kind, power))
    return found


def _decimal(one: str | Language | None) -> str:
    return "." if one is None else language(one).decimal


@lru_cache(maxsize=4096)
def reading(number: str, decimal: str = ".") -> str:
    """Digits with marks, read as a value: `1,00,000.50` → `100000.50`.

    Args:
        number: ASCII digits parted by `.`, `,`, spaces or apostrophes.
        decimal: the language's own decimal mark, for what could be read in either way.
    """
    number = number.replace("٫", ".").replace("٬", ",")
    marks: list[str] = _SEPARATOR.findall(number)
    if not marks:
        return _bare(number)
    parts: list[str] = _SEPARATOR.split(number)
    last = marks[-1]
    if last not in ".,":
        return _bare("".join(parts))
    others = set(marks[:-1])
    if last in others:  # several of one kind can but group; where they do not (1.2.3), it is a version or the like
        groups = len(parts[-1]) == 3 and all(len(part) in (2, 3) for part in parts[1:]) and len(others) == 1
        return "".join(parts) if groups else ".".join(parts)
    grouped = len(parts[-1]) == 3 and 1 <= len(parts[0]) <= 3 and parts[0] != "0"
    if others or not grouped or last == decimal:
        return _bare("".join(parts[:-1])) + "." + parts[-1]
    return _bare("".join(parts))


def _bare(digits: str) -> str:
    """Without a leading zero, as days and months are written with and without it; longer runs of zeros are codes."""
    return digits[1:] if len(digits) == 2 and digits[0] == "0" else digits


def number_differences(
    source: str | Sequence[Number],
    target: str | Sequence[Number],
    source_language: str | Language | None = None,
    target_language: str | Language | None = None,
) -> tuple[list[Number], list[Number]]:
    """Numbers of one text that another lacks, and those that it has beyond, compared as multisets.

    Two numbers are the same where they are written the same (in whatever digits), read the same in their own languages
    (1,000 in English and 1.000 in Indonesian), or are worth the same with the words that multiply them (5 lakh,
    500,000; 2 juta, 2 million). A multiplying word on one side alone is let pass: the other language's word may not
    be known here. Dates and times are compared once more by their parts: 10:30 equals 10.30, 2023-05-12 equals
    12/05/2023.

    Returns:
        (missing from the target, found in the target alone), each in the order of its text.
    """
    left = list(numbers(source, source_language) if isinstance(source, str) else source)
    right = list(numbers(target, target_language) if isinstance(target, str) else target)
    for same in (_written, _value, _worth, _digits_alone):
        left, right = _unpaired(left, right, same)
    timed = any(number.kind in ("date", "time") for number in (*left, *right))
    if timed and not any(number.value.startswith("-") for number in (*left, *right)) and _runs(left) == _runs(right):
        return [], []
    return left, right


def _written(one: Number, other: Number) -> bool:
    return one.power == other.power and _plain(one) == _plain(other)


def _plain(number: Number) -> str:
    return ascii_digits(number.text).replace("−", "-")


def _value(one: Number, other: Number) -> bool:
    return one.power == other.power and one.value == other.value


def _worth(one: Number, other: Number) -> bool:
    return one.power != other.power and one.amount is not None and one.amount == other.amount


def _digits_alone(one: Number, other: Number) -> bool:
    return (one.power == 0 or other.power == 0) and (one.value == other.value or _plain(one) == _plain(other))


def _unpaired(
    left: list[Number], right: list[Number], same: Callable[[Number, Number], bool]
) -> tuple[list[Number], list[Number]]:
    alone = []
    rest = list(right)
    for number in left:
        found = next((i for i, other in enumerate(rest) if same(number, other)), None)
        if found is None:
            alone.append(number)
        else:
            del rest[found]
    return alone, rest


def _runs(several: Sequence[Number]) -> list[str]:
    return sorted(_bare(run) for number in several for run in _RUN.findall(ascii_digits(number.text)))
