"""Prompt files: parts, front matter, variables with places."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attar.errors import Diagnostic
from attar.recipe.prompt_text import PromptText
from attar.recipe.prompts import load_prompt

FULL = """---
inputs: [persona, domain, retry_note]
version: 1.10
note: by us
output: answer.json
rehearse: |
  {{ persona }} {{ words(3) }}
  {{ pick(["a", "b"]) }}{% if fail(0.1) %}x{% endif %} {{ retry_note }}
---

# system

You are {{ persona }}.

# CONTEXT #
About {{ domain | upper }}.
## user

# User\t
Write.{{ retry.attempt }}
# ASSISTANT
Well, {% for x in domain %}{{ x }}{% endfor %}
"""


def load(tmp_path: Path, text: str | bytes) -> tuple[PromptText | None, list[Diagnostic]]:
    path = tmp_path / "p.md"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (tmp_path / "answer.json").write_text('{"type": "object"}')
    return load_prompt(path, "p.md")


def test_a_whole_file(tmp_path: Path) -> None:
    prompt, found = load(tmp_path, FULL)
    assert prompt is not None
    assert [(d.code, d.span.line) for d in found if d.span] == [("W532", 17)]
    assert [(p.role, p.line) for p in prompt.parts] == [("system", 13), ("user", 20), ("assistant", 22)]
    assert prompt.parts[0].text.startswith("You are {{ persona }}.\n\n# CONTEXT #\n")
    assert prompt.parts[1].text == "Write.{{ retry.attempt }}"
    assert prompt.variables == {"persona": (13, 12), "domain": (16, 10), "retry": (20, 10)}
    assert prompt.rehearse_variables == {"retry_note": (8, 59)}
    lines = FULL.split("\n")
    for name, (line, column) in {**prompt.variables, **prompt.rehearse_variables}.items():
        assert lines[line - 1][column - 1 :].startswith(name)
    assert prompt.inputs == ("persona", "domain", "retry_note")
    assert prompt.output == {"type": "object"}
    assert prompt.note == "by us" and prompt.file == "p.md"


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    from attar.identity import bytes_digest

    prompt, _ = load(tmp_path, b"hello\r\nthere\r\n")
    assert prompt is not None and prompt.digest == bytes_digest(b"hello\r\nthere\r\n")
    assert prompt.parts[0].text == "hello\nthere"


def test_the_parameters_a_prompt_uses(tmp_path: Path) -> None:
    text = "---\nrehearse: \"{{ params.c }}\"\n---\n{{ params.a }} {{ x.params.no }} {{ params['b'] }}{{ params.a }}\n"
    prompt, found = load(tmp_path, text)
    assert prompt is not None and not found
    assert prompt.params == {"a": (4, 11), "b": (4, 45), "c": (2, 22)}
    lines = text.split("\n")
    assert all(lines[line - 1][column - 1 :].startswith(name) for name, (line, column) in prompt.params.items())


def test_a_text_without_headings_is_one_user_part(tmp_path: Path) -> None:
    prompt, found = load(tmp_path, "\n\n# Title\n{{ a }}\n   indented\n\n")
    assert prompt is not None and not found
    assert [(p.role, p.text, p.line) for p in prompt.parts] == [("user", "# Title\n{{ a }}\n   indented", 3)]
    assert prompt.inputs is None and prompt.variables == {"a": (4, 4)}


def test_the_seeds_template_is_text(tmp_path: Path) -> None:
    text = "# CONTEXT #\nx\n# OBJECTIVE #\n{persona}\n# user story\n#system\n"
    prompt, found = load(tmp_path, text)
    assert prompt is not None and len(prompt.parts) == 1
    assert [d.code for d in found] == ["W532"]  # `#system` is nearly a heading
    assert prompt.parts[0].text == text.strip()


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "says"),
    [
        ("", "E530", 1, 1, "empty"),
        ("---\nnote: x\n---\n\n", "E530", 4, 1, "empty"),
        ("---\nnote: x\n", "E530", 1, 1, "never closed"),
        ("---\nnotes: x\n---\nhi\n", "E203", 2, 1, "did you mean 'note'?"),
        ("---\ninputs: persona\n---\n{{ persona }}\n", "E202", 2, 9, "a list or a mapping"),
        ("---\ninputs: [a, 3]\n---\n{{ a }}\n", "E202", 2, 13, "expected text"),
        ("---\nnote: x\nnote: y\n---\nhi\n", "E105", 3, 1, "line 2"),
        ("---\n- a\n---\nhi\n", "E107", 2, 1, "`inputs:`"),
        ("---\na: [\n---\nhi\n", "E103", 2, 5, ""),
        ("---\noutput: no.json\n---\nhi\n", "E101", 2, 9, "did you mean"),
        ("---\nrehearse: |\n\n  hi {{ a\n---\nhi\n", "E531", 4, 10, "unexpected end"),
        ('---\nrehearse: "x {{ a b }}"\n---\nhi\n', "E531", 2, 19, "got 'b'"),
        ("---\nrehearse: {a: b}\n---\nhi\n", "E202", 2, 11, "expected text"),
        ("hi\n# user\nyou\n", "E532", 1, 1, "before the first part"),
        ("# user\nx\n# system\ny\n", "E532", 3, 1, "first part"),
        ("# user\n\n\n# assistant\ny\n", "E532", 1, 1, "empty"),
        ("# user\nhi {{ a b }}\n", "E531", 2, 9, "got 'b'"),
        ("# user\n\nhi\n {% if a %}\n", "E531", 4, 2, "{% endif %}"),
        ("hi {{ a | wrds }}\n", "E531", 1, 11, "did you mean words?"),
        ("हिन्दी {{ a + }}\n", "E531", 1, 15, "unexpected"),
        ("---\ninputs: [domain]\n---\n{{ domain }}{{ domian }}\n", "E533", 4, 16, "did you mean 'domain'?"),
        ("---\ninputs: []\n---\n\n{{ x }}\n", "E533", 5, 4, "add x to `inputs:`"),
    ],
)
def test_faults(tmp_path: Path, text: str, code: str, line: int, column: int, says: str) -> None:
    prompt, found = load(tmp_path, text)
    assert prompt is None
    errors = [d for d in found if d.severity == "error"]
    assert [(d.code, d.span.line, d.span.column) for d in errors if d.span] == [(code, line, column)], found
    assert says in f"{errors[0].message} {errors[0].help}"


def test_a_declared_input_that_is_not_used_is_a_warning(tmp_path: Path) -> None:
    prompt, found = load(tmp_path, "---\ninputs:\n  persona: who\n  domain: what\n---\n{{ persona }}\n")
    assert prompt is not None and prompt.inputs == ("persona", "domain")
    assert [(d.code, d.severity, d.span.line, d.span.column) for d in found if d.span] == [("W534", "warning", 4, 3)]


def test_several_faults_at_once(tmp_path: Path) -> None:
    _, found = load(tmp_path, "---\nnoet: 1\ninputs: [a]\n---\n# system\n{{ a }}\n# user\n{{ b }} {{ c.d }}\n")
    assert [(d.code, d.span.line) for d in found if d.span] == [("E203", 2), ("E533", 8), ("E533", 8)]


@pytest.mark.parametrize("raw", [b"\xff\xfeh\x00i\x00", b"caf\xe9"])
def test_wrong_encodings(tmp_path: Path, raw: bytes) -> None:
    prompt, found = load(tmp_path, raw)
    assert prompt is None and [d.code for d in found] == ["E102"]


def test_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "judge.md").write_text("x")
    prompt, found = load_prompt(tmp_path / "jugde.md")
    assert prompt is None and found[0].code == "E101" and "judge.md" in found[0].help


def test_the_api_offers_the_same_classes() -> None:
    import attar.api
    from attar.recipe import prompt_text

    assert attar.api.PromptText is prompt_text.PromptText
    assert attar.api.PromptPart is prompt_text.PromptPart


LINES = st.lists(
    st.sampled_from(["# system", "# user", "# Assistant", "# CONTEXT #", "text", "", "  ", "हिन्दी {{ x }}", "## user"]),
    max_size=12,
)


@given(LINES)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parts_are_the_files_own_lines(tmp_path: Path, lines: list[str]) -> None:
    prompt, found = load(tmp_path, "\n".join(lines))
    if prompt is None:
        assert any(d.severity == "error" for d in found)
        return
    for part in prompt.parts:
        text = part.text.split("\n")
        assert text == lines[part.line - 1 : part.line - 1 + len(text)]
        assert text[0].strip() and text[-1].strip()
    kept = sum(len(part.text.split("\n")) for part in prompt.parts)
    headings = sum(line.lower() in ("# system", "# user", "# assistant") for line in lines)
    assert kept + headings <= len(lines)
    assert all(
        line.strip() == "" or line in "\n".join(p.text for p in prompt.parts) or line[0] == "#" for line in lines
    )


def test_the_shipped_prompts_load() -> None:
    files = sorted((Path(__file__).resolve().parents[2] / "prompts").rglob("*.md"))
    assert files
    for file in files:
        prompt, found = load_prompt(file)
        assert prompt is not None, found
