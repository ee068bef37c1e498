"""Columns followed from source to output: what is missing, doubled or of the wrong type is told where it is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.plans import good, planned, said

from attar.plan.columns import fits

OUT = "outputs: {dataset: {from: z}}\n"
MODELS = "models: {m: {model: x}}\n"


def test_a_missing_column_is_told_where_it_is_named(tmp_path: Path) -> None:
    body = """
        steps:
          a: {use: t.read}
          z:
            use: t.map
            from: a
            with:
              reads:
                txt: string
        outputs: {dataset: {from: z}}
    """
    plan, found = planned(tmp_path, body)
    assert plan is None
    assert [(d.code, d.span.line if d.span else 0, d.help) for d in found] == [("E501", 10, "did you mean 'text'?")]


def test_a_column_made_later_names_its_maker(tmp_path: Path) -> None:
    steps = "  a: {use: t.read}\n  f: {use: t.map, from: a, with: {reads: {z: string}}}\n  z: {use: t.map, from: f}\n"
    _, found = planned(tmp_path, "steps:\n" + steps + OUT)
    assert [(d.code, d.help) for d in found] == [
        ("E501", "'z' is made by step 'z', which comes later: move 'f' behind it")
    ]


def test_wrong_type_names_both(tmp_path: Path) -> None:
    steps = "  a: {use: t.read}\n  z: {use: t.map, from: a, with: {reads: {text: list<string>}}}\n"
    assert said(tmp_path, "steps:\n" + steps + OUT) == [
        ("E503", 3, "column 'text' is string (from step 'a'), 't.map' needs list<string>")
    ]


@pytest.mark.parametrize(
    ("found", "wanted", "good_"),
    [
        ("string", "any", True),
        ("json", "int", True),
        ("int", "float", True),
        ("float", "int", False),
        ("int?", "int", True),
        ("list<int>", "list<float>", True),
        ("list<string>", "list<int>", False),
        ("struct<a:int,b:string>", "struct<a:float>", True),
        ("struct<a:int>", "struct<b:int>", False),
        ("string", "list<string>", False),
    ],
)
def test_fits(found: str, wanted: str, good_: bool) -> None:
    assert fits(found, wanted) is good_


def test_writing_twice_is_an_error_but_not_in_a_later_round(tmp_path: Path) -> None:
    twice = "  a: {use: t.read}\n  text: {use: t.map, from: a}\n  z: {use: t.map, from: text}\n"
    assert [(c, n) for c, n, _ in said(tmp_path, "steps:\n" + twice + OUT)] == [("E502", 3)]
    rounds = "  a: {use: t.read}\n  z: {from: a, repeat: {times: 3, steps: {gen: {use: t.map}, more: {use: t.map}}}}\n"
    plan = good(tmp_path, "steps:\n" + rounds + "outputs: {dataset: {from: z.3.more}}\n")
    assert plan.steps["z.3.gen"].step.rewrites == {"gen"}
    assert plan.steps["z.1.gen"].step.rewrites == set()
    assert set(plan.steps["z.3.more"].columns) == {"text", "gen", "more"}


def test_a_join_keeps_common_columns_and_refuses_doubled_ones(tmp_path: Path) -> None:
    join = (
        "  a: {use: t.read}\n  b: {use: t.map, from: a}\n  c: {use: t.map, from: a}\n  z: {use: t.map, from: [b, c]}\n"
    )
    assert set(good(tmp_path, "steps:\n" + join + OUT).steps["z"].columns) == {"text", "b", "c", "z"}
    same = join.replace("c: {use: t.map, from: a}", "c: {use: t.map, from: a, with: {adds: {b: string}}}")
    assert said(tmp_path, "steps:\n" + same + OUT) == [("E502", 5, "column 'b' is written twice: by 'b' and by 'c'")]


def test_rows_that_pass_by_make_new_columns_nullable(tmp_path: Path) -> None:
    plan = good(tmp_path, "steps:\n  a: {use: t.read}\n  z: {use: t.map, from: a, when: \"text == 'x'\"}\n" + OUT)
    assert plan.steps["z"].columns == {"text": "string", "z": "string?"}
    assert plan.steps["z"].reads == ("text",)
    assert plan.stages[0].batch is False


def test_when_is_checked(tmp_path: Path) -> None:
    steps = "  a: {use: t.read}\n  z: {use: t.map, from: a, when: %s}\n"
    assert [(c, n) for c, n, _ in said(tmp_path, "steps:\n" + steps % '"text =="' + OUT)] == [("E520", 3)]
    assert said(tmp_path, "steps:\n" + steps % '"txet == 1"' + OUT) == [
        ("E501", 3, "no column 'txet' arrives at step 'z'")
    ]
    assert said(tmp_path, "steps:\n" + steps % '"text == params.x"' + OUT) == [
        ("E520", 3, "`when` reads columns, not `params`")
    ]


PROMPT = """
    # system
    You are {{ criteria }}.

    # user
    {{ text }} and {{ persnoa }}, try {{ retry.attempt }}, tone {{ params.tone }}.
"""


def test_a_prompt_variable_nobody_makes_is_told_in_the_prompt(tmp_path: Path) -> None:
    body = (
        "params: {tone: {type: string, default: warm}}\n" + MODELS + "steps:\n  a: {use: t.read, with: {columns: "
        "{text: string, persona: string}}}\n  z: {use: t.gen, from: a, model: m, prompt: p.md}\n" + OUT
    )
    _, found = planned(tmp_path, body, p_md=PROMPT)
    assert [(d.code, Path(d.span.file).name, d.span.line, d.span.column, d.help) for d in found if d.span] == [
        ("E501", "p.md", 5, 19, "did you mean 'persona'?")
    ]
    plan = good(tmp_path, body, p_md=PROMPT.replace("persnoa", "persona"))
    assert plan.steps["z"].reads == ("text", "persona")
    _, found = planned(tmp_path, body, p_md=PROMPT.replace("persnoa", "persona").replace("params.tone", "params.tune"))
    assert [(d.code, d.help) for d in found] == [("E508", "did you mean 'tone'?")]


def test_by_names_a_column(tmp_path: Path) -> None:
    steps = "  a: {use: t.read}\n  z: {use: t.gen, from: a, model: m, prompt: {by: tier, x: p.md}}\n"
    _, found = planned(tmp_path, MODELS + "steps:\n" + steps + OUT, p_md="# user\nhi\n")
    assert [(d.code, d.message) for d in found] == [("E501", "no column 'tier' arrives at step 'z'")]


def test_schema_files_are_checked_where_they_stand(tmp_path: Path) -> None:
    steps = "  a: {use: t.read}\n  z: {use: t.gen, from: a, model: m, prompt: p.md, output: s.json}\n"
    schema = '{\n "type": "object",\n "properties": {"n": {"type": "int"}}\n}\n'
    _, found = planned(tmp_path, MODELS + "steps:\n" + steps + OUT, p_md="# user\nhi\n", s_json=schema)
    assert [(d.code, d.span.line if d.span else 0, d.help) for d in found] == [("E122", 3, "did you mean 'integer'?")]
    _, found = planned(tmp_path, MODELS + "steps:\n" + steps + OUT, p_md="# user\nhi\n", s_json='{"a": }')
    assert [(d.code, d.span.line, d.span.column) for d in found if d.span] == [("E120", 1, 7)]


def test_what_a_step_reports_lands_on_its_config(tmp_path: Path) -> None:
    steps = "  a: {use: t.read}\n  z:\n    use: t.strict\n    from: a\n    with:\n      adds:\n        x: string\n"
    assert said(tmp_path, "steps:\n" + steps + OUT) == [("E310", 8, "adds.x is wrong")]
    odd = "  a: {use: t.read}\n  z: {use: t.odd, from: a}\n"
    found = said(tmp_path, "steps:\n" + odd + OUT)
    assert [(c, n) for c, n, _ in found] == [("E309", 3)]
    assert "ZeroDivisionError" in found[0][2]


def test_refs_a_step_has_not_and_refs_it_needs(tmp_path: Path) -> None:
    steps = "  a: {use: t.read}\n  z: {use: t.map, from: a, model: m}\n"
    assert [(c, n) for c, n, _ in said(tmp_path, MODELS + "steps:\n" + steps + OUT) if c[0] == "E"] == [("E307", 4)]
    steps = "  a: {use: t.read}\n  z: {use: t.gen, from: a}\n"
    _, found = planned(tmp_path, "steps:\n" + steps + OUT)
    assert [(d.code, d.message, d.help) for d in found] == [
        ("E201", "step 't.gen' needs 'model'", "add `model: …` beside `use`")
    ]


def test_a_column_called_id_and_a_source_without_columns(tmp_path: Path) -> None:
    steps = "  a: {use: t.read}\n  z: {use: t.map, from: a, with: {adds: {id: string}}}\n"
    assert [c for c, _, _ in said(tmp_path, "steps:\n" + steps + OUT)] == ["E504"]
    assert [c for c, _, _ in said(tmp_path, "steps:\n  z: {use: t.read, with: {columns: {}}}\n" + OUT)] == ["E505"]


def test_a_column_overwritten_on_one_branch_cannot_be_joined_silently(tmp_path: Path) -> None:
    from attar.plan import check

    (tmp_path / "rows.jsonl").write_text('{"text": "x"}\n')
    file = tmp_path / "recipe.yaml"
    file.write_text(
        "attar: 1\nname: x\nsteps:\n  a: {use: std.read, with: {path: rows.jsonl}}\n"
        "  b: {use: std.derive, from: a, with: {columns: {text: text | upper}, replace: true}}\n"
        "  c: {use: std.derive, from: a, with: {columns: {n: text | words}}}\n"
        "  z: {use: std.filter, from: [b, c], with: {where: n > 1}}\n" + OUT
    )
    _, found = check(file)
    assert [(d.code, d.message) for d in found] == [("E502", "column 'text' is written twice: by 'b' and by 'a'")]


def test_a_field_that_a_struct_has_not(tmp_path: Path) -> None:
    body = (
        MODELS + "steps:\n  a: {use: t.read}\n  j: {use: t.score, from: a, model: m}\n"
        "  z: {use: t.gen, from: j, model: m, prompt: p.md, when: j.outcom == 'pass'}\n" + OUT
    )
    prompt = """
        # user
        {{ text }} {{ j.scores.qualty }} {{ j.scores.quality }} {{ j.get('x') }} {{ j['outcome'] }} "j.nothing"
        {% if j.cod == 'j.other' %}x{% endif %} {{ text.upper() }}
    """
    _, found = planned(tmp_path, body, p_md=prompt)
    assert [(d.message, d.help, d.span.line, d.span.column) for d in found if d.span] == [
        ("'j' has no field 'outcom'", "did you mean 'outcome'?", 7, 60),
        ("'j.scores' has no field 'qualty'", "did you mean 'quality'?", 2, 24),
        ("'j' has no field 'cod'", "did you mean 'code'?", 3, 9),
    ]


def test_a_rehearsed_answer_reads_columns_too(tmp_path: Path) -> None:
    body = MODELS + "steps:\n  a: {use: t.read}\n  z: {use: t.gen, from: a, model: m, prompt: p.md}\n" + OUT
    prompt = """
        ---
        rehearse: "{{ words(3) }} {{ pick(['a']) }} {{ %s }}"
        ---
        # user
        Hello.
    """
    _, found = planned(tmp_path, body, p_md=prompt % "txet")
    assert [(d.code, d.help, d.span.line) for d in found if d.span] == [("E501", "did you mean 'text'?", 2)]
    assert good(tmp_path, body, p_md=prompt % "text").steps["z"].reads == ("text",)
