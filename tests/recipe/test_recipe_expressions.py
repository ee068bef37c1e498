"""Sandboxed expressions and templates."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.recipe.expressions import (
    ExpressionError,
    check_expression,
    check_template,
    compile_expression,
    expression_variables,
    render,
    template_variables,
)
from attar.recipe.text import count_characters, count_sentences, count_words


@pytest.mark.parametrize(
    ("text", "variables", "expected"),
    [
        ("a > 3 and not b", {"a": 4, "b": False}, True),
        ("a.items + a['keys']", {"a": {"items": 1, "keys": 2}}, 3),
        ("x | words", {"x": "नमस्ते दुनिया"}, 2),
        ("x", {"x": None}, None),
        ("x is none", {"x": None}, True),
        ("x is defined", {}, False),
        ("x | default(5)", {}, 5),
        ("{'a': x} | json", {"x": "é"}, '{"a": "é"}'),
        ("'a' in x", {"x": ["a"]}, True),
    ],
)
def test_values(text: str, variables: dict[str, Any], expected: Any) -> None:
    assert compile_expression(text)(variables) == expected


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("x", {}),
        ("x.y", {"x": {}}),
        ("x.y.z", {"x": {}}),
        ("not x", {}),
        ("x / 0", {"x": 1}),
        ("x + 1", {"x": "a"}),
        ("x < 1", {"x": None}),
        ("x.__class__", {"x": 1}),
        ("''.__class__.__mro__[1].__subclasses__()", {}),
        ("x.append(1)", {"x": []}),
        ("x.format_map(1)", {"x": "{0}"}),
        ("range(10000000)", {}),
    ],
)
def test_undefined_unsafe_and_failing(text: str, variables: dict[str, Any]) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(text)(variables)


def test_nothing_random_is_offered() -> None:
    assert check_template("{{ [1, 2] | random }}") is not None
    with pytest.raises(ExpressionError):
        render("{{ lipsum() }}", {})


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("", 1, "empty"),
        ("a +", 4, "unexpected end"),
        ("a b", 3, "something follows"),
        ("(a", 3, "expected ')'"),
        ("a ++ ) b", 6, "unexpected ')'"),
        ("b + a | nofilter", 9, "no filter 'nofilter'"),
        ("a is evn", 6, "did you mean even?"),
        ("a == 'x", 6, "unexpected character"),
        ("a = 3", 3, "follows"),
        ("हि + ]", 6, "unexpected ']'"),
    ],
)
def test_syntax_errors_have_places(text: str, column: int, says: str) -> None:
    fault = check_expression(text)
    assert fault is not None
    assert (fault.line, fault.column) == (1, column), fault
    assert says in fault.message
    if text:
        with pytest.raises(ExpressionError):
            compile_expression(text)


def test_the_line_of_a_syntax_error() -> None:
    fault = check_template("one\n{% if a %}\n  {{ b c }}\n{% endif %}\n")
    assert fault is not None and fault[1:] == (3, 8)
    assert check_template("fine {{ a }}\n{# note #}\n") is None
    assert check_expression("a\n and b") is None


def test_variables() -> None:
    assert expression_variables("a.b + c(d=e) | words") == {"a", "c", "e"}
    text = "{{ x.y }}{% for a in b %}{{ a.c | words }}{% endfor %}\n{% set d = e %}{{ d }} {{ f(y=y) }}{{ x }}"
    assert template_variables(text) == {"x": (1, 4), "b": (1, 22), "e": (2, 12), "f": (2, 27), "y": (2, 31)}
    with pytest.raises(ExpressionError):
        expression_variables("a +")


def test_prompts_are_byte_faithful() -> None:
    text = '  <a & "b">\n\n\ttab {{ x }}\n{% if y %}\nyes\n{% endif %}\n  end\n\n'
    assert render(text, {"x": "{{ x }} <é>", "y": 1}) == '  <a & "b">\n\n\ttab {{ x }} <é>\nyes\n  end\n\n'
    assert render("{{ x }}|", {"x": None}) == "|"


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r"), max_size=60), st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_text_and_values_pass_through_unchanged(text: str, value: str) -> None:
    if "{{" in text or "{%" in text or "{#" in text or text.endswith("{"):
        return
    assert render(text + "{{ v }}", {"v": value}) == text + value


@pytest.mark.parametrize(
    ("text", "words", "sentences", "characters"),
    [
        ("", 0, 0, 0),
        ("Hello, world! It's 3.14.", 6, 2, 24),
        ("हिन्दी में लिखो। फिर रुको॥ ठीक है?", 7, 3, None),
        ("क्‍ष শব্দ", 2, 1, None),
        ("یہ کیا ہے؟ ٹھیک ہے۔", 5, 2, None),
        ('He said "No." Then left.', 5, 2, 24),
        ("no end", 2, 1, 6),
        ("... !!!", 0, 0, 7),
        ("कि", 1, 1, 1),
        (None, 0, 0, 0),
    ],
)
def test_counts(text: str | None, words: int, sentences: int, characters: int | None) -> None:
    assert count_words(text) == words
    assert count_sentences(text) == sentences
    if characters is not None:
        assert count_characters(text) == characters


@given(st.lists(st.sampled_from(["हिन्दी", "தமிழ்", "ಕನ್ನಡ", "বাংলা", "اردو", "word", "१२३", "क्‍ष"]), max_size=12))
def test_words_of_every_script_count_one_each(words: list[str]) -> None:
    assert count_words(" ".join(words)) == len(words)
    assert compile_expression("x | words")({"x": ", ".join(words)}) == len(words)


def test_loading_a_recipe_imports_no_jinja() -> None:
    code = (
        "import sys, attar.recipe, attar.recipe.prompts, attar.recipe.expressions; assert 'jinja2' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
