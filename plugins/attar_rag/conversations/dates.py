"""Dates written with a month's name, or in figures: day, month and year wherever they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import regex

from attar.api.text import ascii_digits

_NAMES: tuple[str, ...] = (
    "januari january jan जनवरी",
    "februari february feb फ़रवरी फरवरी",
    "maret march mar मार्च",
    "april apr अप्रैल",
    "mei may मई",
    "juni june jun जून",
    "juli july jul जुलाई",
    "agustus august aug अगस्त",
    "september sept sep सितंबर सितम्बर",
    "oktober october oct okt अक्टूबर अक्तूबर",
    "november nov नवंबर नवम्बर",
    "desember december dec des दिसंबर दिसम्बर",
)
MONTHS: Mapping[str, int] = {name: number for number, names in enumerate(_NAMES, 1) for name in names.split()}
"""Month names in Indonesian, English and Hindi, in lower case → number."""

_MONTH = "|".join(sorted(map(regex.escape, MONTHS), key=len, reverse=True))
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_DATE = regex.compile(
    rf"""
      (?:(?P<from>{_DAY})\s*(?:[-–—]|sampai|hingga|s\.d\.|s/d|to|dan|and|से|और)\s*)?
      (?<!\d)(?P<day>{_DAY})\s+(?P<month>{_MONTH})(?!\p{{L}})\.?(?:,?\s+(?P<year>\d{{4}}))?
    | (?<!\p{{L}})(?P<month>{_MONTH})(?!\p{{L}})\s+(?P<day>{_DAY})(?!\d)(?:,?\s+(?P<year>\d{{4}}))?
    | (?<!\p{{L}})(?P<month>{_MONTH})(?!\p{{L}})\.?\s+(?P<year>\d{{4}})
    | (?<![\d/.-])(?P<year>\d{{4}})-(?P<figure>\d{{1,2}})-(?P<day>\d{{1,2}})(?![\d/.-])
    | (?<![\d/.-])(?P<day>\d{{1,2}})(?P<mark>[-/.])(?P<figure>\d{{1,2}})(?P=mark)(?P<year>\d{{4}})(?!\d)
    """,
    regex.VERBOSE | regex.IGNORECASE,
)


class Date(NamedTuple):
    """A date as far as it is said: `day` and `year` are None where they are not."""

    text: str
    start: int
    end: int
    day: int | None
    month: int
    year: int | None

    def within(self, other: Date) -> bool:
        """Whether all that this date says is so in the other; what the other leaves open may be said."""
        if self.month != other.month or (self.day is not None and self.day != other.day):
            return False
        return self.year is None or other.year is None or self.year == other.year


def dates(text: str) -> Iterator[Date]:
    """The dates of a text, in order; of `1–15 Agustus 2026` both ends. Figures are read day first, or as ISO 8601."""
    plain = ascii_digits(text)
    for match in _DATE.finditer(plain):
        name, figure = match["month"], match["figure"]
        month = MONTHS[name.casefold()] if name else int(figure)
        if not 1 <= month <= 12:
            continue
        span = match.span()
        year = int(match["year"]) if match["year"] else None
        for part in ("from", "day"):
            if match[part]:
                day = int(regex.match(r"\d+", match[part])[0])
                yield Date(text[match.start() : match.end()], span[0], span[1], day, month, year)
        if not match["day"]:
            yield Date(text[match.start() : match.end()], span[0], span[1], None, month, year)
