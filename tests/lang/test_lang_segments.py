"""Long texts in pieces: exact to the character, and never half of one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attar.api import Drop, New, Reject
from attar.testing import StepContract, build, make_rows, run_dataset_step, run_row_step
from attar_lang.segments import Join, Segments, cut

TEXT = "# शीर्षक\n\nडॉ. शर्मा ३.५ किमी चले। फिर रुके।\n\n  Second one here.\nStill it.\n\n\nThird!\n"
HELPERS = {"segment_of": "a", "segment_number": 1, "segment_count": 1, "segment_before": "", "segment_after": ""}


class TestSegmentsContract(StepContract):
    step = Segments
    config = {"max_characters": 20}
    rows = [{"text": TEXT}, {"text": ""}, {"text": None}]
    incoming = {"text": "string?"}


class TestJoinContract(StepContract):
    step = Join
    config = {"text": "out", "keep": ["title"]}
    rows = [
        {"out": "one", "title": "t", **HELPERS},
        {"out": "half", "title": "u", **HELPERS, "segment_of": "b", "segment_count": 2},
    ]


def test_paragraphs_are_cut_and_packed() -> None:
    small = [piece for _, piece, _ in cut(TEXT, "paragraph", 1)]
    assert small == ["# शीर्षक", "डॉ. शर्मा ३.५ किमी चले। फिर रुके।", "Second one here.\nStill it.", "Third!"]
    assert [piece for _, piece, _ in cut(TEXT, "paragraph", 45)] == [
        small[0] + "\n\n" + small[1],
        small[2] + "\n\n\n" + small[3],
    ]
    assert len(cut(TEXT)) == 1


def test_sentences_are_never_cut_at_an_abbreviation() -> None:
    pieces = [piece for _, piece, _ in cut("डॉ. शर्मा ३.५ किमी चले। फिर रुके। Dr. Rao came.", "sentence", 1)]
    assert pieces == ["डॉ. शर्मा ३.५ किमी चले।", "फिर रुके।", "Dr. Rao came."]


@given(
    st.one_of(st.text(), st.text(alphabet="a। .\n!ड ")),
    st.sampled_from(["paragraph", "sentence"]),
    st.integers(1, 40),
)
def test_pieces_are_the_text_to_the_character(text: str, by: str, most: int) -> None:
    pieces = cut(text, by, most)
    assert "".join(before + piece + after for before, piece, after in pieces) == text
    assert all(piece == piece.strip() for _, piece, _ in pieces)
    assert all(not before.strip() and not after.strip() for before, _, after in pieces)
    assert all(piece for _, piece, _ in pieces) or len(pieces) == 1


@given(st.lists(st.text(), min_size=1, max_size=4), st.sampled_from(["paragraph", "sentence"]), st.randoms())
def test_segments_then_join_is_the_identity_in_any_order(texts: list[str], by: str, random: object) -> None:
    rows = make_rows([{"text": text, "title": str(i)} for i, text in enumerate(texts)])
    step = build(Segments, {"by": by, "max_characters": 5})
    children = [
        {"title": row["title"], **child}
        for row, several in zip(rows, run_row_step(step, rows), strict=True)
        for child in several
    ]
    random.shuffle(children)  # type: ignore[attr-defined]
    out = run_dataset_step(build(Join, {"text": "segment", "keep": ["title"]}), children)
    made = {one.columns["title"]: one.columns["joined"] for one in out if isinstance(one, New)}
    assert made == {str(i): text for i, text in enumerate(texts)}


def test_half_a_text_is_none() -> None:
    [pieces] = run_row_step(build(Segments, {"max_characters": 1}), [{"text": TEXT}])
    out = run_dataset_step(build(Join, {"text": "segment"}), [pieces[0], pieces[2], pieces[3]])
    assert [one.why for one in out if isinstance(one, Drop)] == [Reject("incomplete", "3 of 4 pieces are there")] * 3


def test_an_unknown_language_is_a_reason() -> None:
    step = build(Segments, {"by": "sentence", "language_column": "l"})
    [found] = run_row_step(step, [{"text": "a", "l": "klingon"}])
    assert isinstance(found, Reject)
    assert found.code == "unknown_language"


@pytest.mark.parametrize("text", ["", " \n ", "!!!", " ... ", "\n\n!\n\n"])
def test_texts_without_a_word_are_one_piece(text: str) -> None:
    for by in ("paragraph", "sentence"):
        pieces = cut(text, by, 1)
        assert len(pieces) == 1
