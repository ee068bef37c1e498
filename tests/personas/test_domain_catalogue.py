"""The domain catalogue: size, distinct names, broad fields, and what is said of a broken one."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from attar_personas.catalogues import domains, read_domains

GOOD = "general\tdomain\tspecific\nwater\tlake care\tinflow and weeds\n"


def test_it_holds_the_1400_domains_that_are_promised_each_once() -> None:
    found = domains()
    assert len(found) >= 1400
    assert len({domain.domain.casefold() for domain in found}) == len(found)
    assert all(unicodedata.is_normalized("NFC", part) and part == part.strip() for domain in found for part in domain)


def test_every_field_is_broad_enough_to_draw_from() -> None:
    fields = Counter(domain.general for domain in domains())
    assert len(fields) == 66
    assert min(fields.values()) >= 20, fields.most_common()[-3:]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: expected the header"),
        ("domain\tgeneral\nx\ty\n", "line 1: expected the header"),
        (GOOD + "water\tsprings\n", "line 3: expected 3 filled fields"),
        (GOOD + "water\t \tsprings\n", "line 3: expected 3 filled fields"),
        (GOOD + "water\tLake Care\tagain\n", "line 3: domain 'Lake Care' stands on line 2 already"),
    ],
)
def test_a_broken_catalogue_is_refused_by_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.tsv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        read_domains(path)


def test_a_catalogue_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.tsv"
    path.write_bytes(GOOD.encode("utf-16"))
    with pytest.raises(ValueError, match="not UTF-8"):
        read_domains(path)


def test_blank_lines_and_line_endings_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "mine.tsv"
    path.write_text(GOOD.replace("\n", "\r\n") + "\n\n", encoding="utf-8")
    assert [domain.domain for domain in read_domains(path)] == ["lake care"]
