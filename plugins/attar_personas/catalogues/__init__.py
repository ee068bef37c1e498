"""Catalogues that ship with the plugin, and how the domain catalogue is read.

`domains.tsv` holds one knowledge domain per line: the broad field it belongs to (`general`), its own name (`domain`)
and something rare within it (`specific`). Fields and anchors mirror the 1 % / 0.1 % pairs of elite personas
(general and specific domain); all lines were written for attar.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

HEADER = ("general", "domain", "specific")
DOMAINS = Path(__file__).with_name("domains.tsv")


class Domain(NamedTuple):
    """One line of the domain catalogue."""

    general: str
    domain: str
    specific: str


def read_domains(path: Path) -> tuple[Domain, ...]:
    """Reads a domain catalogue: UTF-8, tab-separated, with the header `general`, `domain`, `specific`.

    Raises:
        ValueError: the file is no such catalogue; the message names the line, what was found and what was expected.
        OSError: it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not UTF-8 (byte {error.start})") from None
    if not lines or tuple(lines[0].split("\t")) != HEADER:
        found = repr(lines[0][:80]) if lines else "nothing"
        raise ValueError(f"{path.name}, line 1: expected the header {'<TAB>'.join(HEADER)}, found {found}")
    domains: list[Domain] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        parts = tuple(part.strip() for part in line.split("\t"))
        if len(parts) != len(HEADER) or not all(parts):
            raise ValueError(
                f"{path.name}, line {number}: expected {len(HEADER)} filled fields with tabs between, "
                f"found {line[:80]!r}"
            )
        name = parts[1].casefold()
        if name in seen:
            raise ValueError(f"{path.name}, line {number}: domain {parts[1]!r} stands on line {seen[name]} already")
        seen[name] = number
        domains.append(Domain(*parts))
    return tuple(domains)


@lru_cache(maxsize=1)
def domains() -> tuple[Domain, ...]:
    """The shipped domain catalogue, in file order: general fields together."""
    return read_domains(DOMAINS)
