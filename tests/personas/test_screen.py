"""personas.screen: personal data and real people are found, their look-alikes are not; bulk and row by row agree."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attar.api import Reject
from attar.testing import FakeContext, run_row_step
from attar_personas.screen import pii, real_names
from attar_personas.screen.checksums import gstin, luhn, verhoeff
from attar_personas.screen.names import figures
from attar_personas.screen.step import Screen, ScreenConfig

PERSONAS = Path(__file__).parents[2].parent / "shared" / "data" / "personas_5k.jsonl"
DEVANAGARI = str.maketrans("0123456789", "०१२३४५६७८९")


def with_check(body: str) -> str:
    """A body with the one last digit that Verhoeff's scheme accepts."""
    return next(body + str(d) for d in range(10) if verhoeff(body + str(d)))


AADHAAR = with_check("23412341234")
WRONG = AADHAAR[:-1] + str((int(AADHAAR[-1]) + 1) % 10)

HELD = [
    ("email", "Write to lakshmi.r@example.org for seeds."),
    ("upi", "Pays by asha99@okaxis only."),
    ("aadhaar", f"Her number is {AADHAAR}."),
    ("aadhaar", f"Her number is {AADHAAR[:4]} {AADHAAR[4:8]} {AADHAAR[8:]}."),
    ("aadhaar", f"उसका आधार {AADHAAR.translate(DEVANAGARI)} है।"),
    ("pan", "PAN ABCPK1234L on file"),
    ("gstin", "GST 27AAPFU0939F1ZV, Pune"),
    ("voter_id", "card ABC1234567 issued"),
    ("vehicle", "drives MH 12 AB 1234 daily"),
    ("ifsc", "branch SBIN0001234"),
    ("passport", "passport no. K1234567"),
    ("phone", "Call +91 98765 43210 after six."),
    ("phone", "Call 9876543210 after six."),
    ("phone", "Hubungi 0812-3456-7890 sore hari."),
    ("phone", "Hubungi +62 812 3456 7890."),
    ("nik", "NIK 3174055507900001 tercatat"),
    ("npwp", "NPWP 01.234.567.8-901.000"),
    ("payment_card", "card 4111 1111 1111 1111"),
]
CLEAN = [
    "A farmer of 45 who sells 1,00,000 kilograms of onions a year.",
    f"A clerk whose file number is {WRONG}.",
    "Born in 1987, the third of 12 children, with Rp 5.000.000 saved since 2019-2021.",
    "card 4111 1111 1111 1112",
    "GST 27AAPFU0939F1ZX, Pune",
    "nomor 3174055513900001 dan 3174059907900001",
    "A mathematician fond of 3.14159265358979 and of 299792458.",
    "An engineer on the ISO9001 and AS400 systems, model AB 12.",
    "She follows @handle and reads C++ at 9 am.",
    "",
]


@pytest.mark.parametrize(("kind", "text"), HELD)
def test_personal_data_are_found_with_their_kind(kind: str, text: str) -> None:
    assert [hit.kind for hit in pii(text)] == [kind], [text[h.start : h.end] for h in pii(text)]


@pytest.mark.parametrize("text", CLEAN)
def test_look_alikes_are_left_alone(text: str) -> None:
    assert pii(text) == []


def test_places_are_places_in_the_text_as_it_was() -> None:
    text = f"उसका आधार {AADHAAR.translate(DEVANAGARI)} है, मेल a@b.in"
    first, second = pii(text)
    assert text[first.start : first.end] == AADHAAR.translate(DEVANAGARI)
    assert text[second.start : second.end] == "a@b.in"


@given(st.text("0123456789", min_size=11, max_size=11), st.integers(0, 10), st.integers(1, 9))
def test_one_wrong_digit_never_passes_verhoeff(body: str, place: int, by: int) -> None:
    number = with_check(body)
    changed = number[:place] + str((int(number[place]) + by) % 10) + number[place + 1 :]
    assert verhoeff(number)
    assert not verhoeff(changed)


@given(st.text("0123456789", min_size=12, max_size=15))
def test_exactly_one_digit_completes_a_card_number(body: str) -> None:
    assert sum(luhn(body + str(d)) for d in range(10)) == 1


def test_the_published_example_of_a_gst_number_fits() -> None:
    assert gstin("27AAPFU0939F1ZV")
    assert not gstin("27AAPFU0939F1ZW")


@pytest.mark.parametrize(
    "text",
    [
        "A friend of Narendra Modi since school",
        "A coach who trained P. V. Sindhu.",
        "an admirer of   sachin\ttendulkar",
        "मोहल्ले के लोग उसे नरेंद्र मोदी कहते हैं।",
        "Penggemar Susi Pudjiastuti, nelayan",
        "Joko Widodo's neighbour",
    ],
)
def test_public_figures_are_found(text: str) -> None:
    assert len(real_names(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "A student at Indira Gandhi National Open University",
        "Groundsman at the Narendra Modi Stadium in Ahmedabad",
        "A farmer called Modi and a singer called Sharma",
        "Narendra Modigliani, painter",
        "A historian of Mahatma Gandhi",
    ],
)
def test_schools_stadiums_parts_of_names_and_history_are_no_living_person(text: str) -> None:
    assert real_names(text) == []


def test_historical_people_count_where_all_are_asked_for() -> None:
    assert len(real_names("A historian of Mahatma Gandhi and महात्मा गांधी", "all")) == 2
    assert real_names("Reads Rabindranath Tagore", "all", frozenset({"rabindranath tagore"})) == []


def test_every_listed_name_is_found_by_itself_and_in_bulk() -> None:
    every = [name for figure in figures() for name in figure.names]
    assert all(real_names(f"met {name}, once", "all") for name in every)
    step = Screen(ScreenConfig(names="all"))
    batch = pa.record_batch({"persona": [f"met {name.upper()}, once" for name in every]})
    reject = step.apply_batch(batch, FakeContext()).reject
    assert reject is not None
    assert reject.to_pylist() == ["real_name"] * len(every)


def test_the_detail_names_kind_and_place_but_never_the_value() -> None:
    step = Screen(ScreenConfig())
    (result,) = run_row_step(step, [{"persona": f"number {AADHAAR}, mail a@b.in"}])
    assert result == Reject("pii", "aadhaar at character 8 of persona; email at character 27 of persona")


pieces = st.sampled_from(
    [text for _, text in HELD]
    + CLEAN
    + ["met Virat Kohli", "read Kabir Das", "Narendra Modi Stadium", "क", "\ud7ff", "\x00"]
)


@given(
    st.lists(st.none() | st.lists(pieces, max_size=3).map(" ".join), max_size=8),
    st.booleans(),
    st.sampled_from(["off", "living", "all"]),
)
def test_bulk_and_row_by_row_agree(texts: list[str | None], with_pii: bool, whom: str) -> None:
    step = Screen(ScreenConfig(pii=with_pii, names=whom))  # type: ignore[arg-type]
    bulk = step.apply_batch(pa.record_batch({"persona": pa.array(texts, pa.string())}), FakeContext())
    codes = [None] * len(texts) if bulk.reject is None else bulk.reject.to_pylist()
    single = run_row_step(step, [{"persona": text} for text in texts])
    assert codes == [one.code if isinstance(one, Reject) else None for one in single]


def test_real_personas_hold_no_personal_data_and_few_public_figures() -> None:
    if not PERSONAS.is_file():
        pytest.skip("no ../shared/data/personas_5k.jsonl here")
    texts = [json.loads(line)["input persona"] for line in PERSONAS.read_text(encoding="utf-8").splitlines()]
    assert [text for text in texts if pii(text)] == []
    named = [text for text in texts if real_names(text)]
    assert any("Roger Federer" in text for text in named)
    assert len(named) < 30
