"""Protection: what is masked, and that it all comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attar.api.text import LANGUAGES, native_digits
from attar_lang.marks import KINDS, Kept, protect, restore


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("₹1,00,000 और ३.५%", ["1,00,000", "३.५"]),
        ("See https://example.org/a_(b)?x=1&y=२, now.", ["https://example.org/a_(b)?x=1&y=२"]),
        ("(https://example.org/a).", ["https://example.org/a"]),
        ("यहाँ https://example.in/x।", ["https://example.in/x"]),
        ("mail help.desk+1@example.co.in!", ["help.desk+1@example.co.in"]),
        ("Dear {name}, {{ user.id }} %s %(n)d ${x} {}", ["{name}", "{{ user.id }}", "%s", "%(n)d", "${x}", "{}"]),
        ("<b>bold</b> <br/> a < b > c", ["<b>", "</b>", "<br/>"]),
        ("run `pip install x==1.2` or ```a\n1```", ["`pip install x==1.2`", "```a\n1```"]),
        ("100%sure 50% off", ["100", "50"]),
        ("nothing here", []),
    ],
)  # fmt: skip
def test_what_is_masked(text: str, kept: list[str]) -> None:
    masked, found = protect(text)
    assert [one.text for one in found] == kept
    assert [one.mark for one in found] == [f"⟦{i}⟧" for i in range(1, len(kept) + 1)]
    assert restore(masked, found).text == text
    assert all(one not in masked for one in kept if len(one) > 1)


def test_names_are_masked_as_whole_words_the_longest_first() -> None:
    masked, kept = protect("Ravi Kumar met Ravi. Ravinder left. रवि आया।", names=["Ravi", "Ravi Kumar", "रवि", " "])
    assert masked == "⟦1⟧ met ⟦2⟧. Ravinder left. ⟦3⟧ आया।"
    assert [(one.text, one.kind) for one in kept] == [("Ravi Kumar", "name"), ("Ravi", "name"), ("रवि", "name")]


def test_only_the_kinds_asked_for() -> None:
    text = "{name} has 5 at https://example.org/7"
    assert protect(text, ["url"])[0] == "{name} has 5 at ⟦1⟧"
    assert protect(text, ["number", "placeholder"])[0].startswith("⟦1⟧ has ⟦2⟧ at https")


KEPT = [Kept("⟦1⟧", "42", "number"), Kept("⟦2⟧", "{x}", "placeholder")]


@pytest.mark.parametrize(
    "text",
    [
        "a ⟦1⟧ b ⟦2⟧",
        "a ⟦ 1 ⟧ b ⟦2 ⟧",
        "a [[1]] b 【2】",
        "a ⟦१⟧ b ⟦২⟧",
        "a ［1］ b 〚2〛",
        "a ⟦１⟧ b ⟦۲⟧",
        "a ⟦01⟧ b ⟦2⟧",
    ],
)
def test_marks_may_come_back_a_little_changed(text: str) -> None:
    found = restore(text, KEPT)
    assert found == ("a 42 b {x}", (), (), ())


def test_faults_of_marks_are_told() -> None:
    found = restore("⟦1⟧ ⟦1⟧ ⟦9⟧ [[8]]", KEPT)
    assert found.text == "42 42 ⟦9⟧ [[8]]"
    assert found.lost == (KEPT[1],)
    assert found.repeated == (KEPT[0],)
    assert found.unknown == ("⟦9⟧",)


PIECES = st.sampled_from([
    "⟦", "⟧", "⟦1⟧", "[[2]]", "【 3 】", "{name}", "{{x}}", "%s", "<b>", "</", "`", "```", "https://a.b/c", "www.x.y",
    "a@b.co", "1,00,000", "३.५", "Rp 5.000.000", "नमस्ते", " ", "\n", "。", "[[", "]]", "$", "{", "}", "Ravi", "9", "０",
])  # fmt: skip
TEXTS = st.one_of(st.text(), st.lists(PIECES).map("".join))


@given(TEXTS, st.sets(st.sampled_from(KINDS)).map(sorted), st.lists(st.one_of(st.just("Ravi"), st.text(max_size=5))))
def test_restoring_what_was_protected_gives_the_text_itself(text: str, kinds: list[str], names: list[str]) -> None:
    masked, kept = protect(text, kinds, names)
    assert restore(masked, kept) == (text, (), (), ())


@given(TEXTS, st.sampled_from(sorted(LANGUAGES)), st.sampled_from(["", " ", "\u00a0"]))
def test_also_where_a_model_writes_the_marks_in_its_digits(text: str, code: str, space: str) -> None:
    masked, kept = protect(text)
    for one in kept:
        native = native_digits(one.mark, LANGUAGES[code].digits).replace("⟦", "⟦" + space).replace("⟧", space + "⟧")
        masked = masked.replace(one.mark, native)
    assert restore(masked, kept) == (text, (), (), ())
