"""Check digits of numbers that people are known by; each takes ASCII digits or letters and says whether they fit."""

from __future__ import annotations

import string

# The dihedral group D5 and the permutation of Verhoeff's scheme (J. Verhoeff, 1969).
_D5 = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
_BASE36 = string.digits + string.ascii_uppercase


def _permutations() -> tuple[tuple[int, ...], ...]:
    rows = [tuple(range(10))]
    for _ in range(7):
        rows.append(tuple(_PERMUTATION[digit] for digit in rows[-1]))
    return tuple(rows)


_P8 = _permutations()


def verhoeff(digits: str) -> bool:
    """Verhoeff's check digit, the last of an Aadhaar number."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = _D5[check][_P8[place % 8][int(digit)]]
    return check == 0


def luhn(digits: str) -> bool:
    """Luhn's check digit, the last of a payment card's number."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def gstin(number: str) -> bool:
    """The fifteenth character of an Indian GST number: a weighted sum over base 36."""
    total = 0
    for place, char in enumerate(number[:14]):
        product = _BASE36.index(char) * (1 + place % 2)
        total += product // 36 + product % 36
    return _BASE36[(36 - total % 36) % 36] == number[14]


def nik(digits: str) -> bool:
    """Whether 16 digits can be an Indonesian NIK: province 11–97, a day of birth (plus 40 for women) and a month."""
    province, day, month = int(digits[:2]), int(digits[6:8]), int(digits[8:10])
    return 11 <= province <= 97 and (1 <= day <= 31 or 41 <= day <= 71) and 1 <= month <= 12 and digits[12:] != "0000"
