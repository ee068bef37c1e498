"""Parameters: types, limits, overrides, and `${…}` in texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PARAMS = """
attar: 1
name: x
params:
  docs: {type: path, default: data/campus}
  n: {type: int, default: 10, min: 1, max: 100, help: how many}
  share: {type: float, default: 1}
  fast: {type: bool, default: false}
  tone: {default: plain, choices: [plain, formal]}
  langs: {type: list, default: [hi, ta], min: 1}
  note: {}
steps:
  a: {use: std.read, with: {v: VALUE}}
outputs:
  d: {from: a, min_rows: "${params.n}"}
""".lstrip()


def value(write: Any, text: str, overrides: dict[str, Any] | None = None) -> Any:
    return write(PARAMS.replace("VALUE", text), overrides).good.steps["a"].with_["v"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"${params.n}"', 10),
        ('"${ params.n }"', 10),
        ('"${params.share}"', 1.0),
        ('"${params.fast}"', False),
        ('"${params.langs}"', ["hi", "ta"]),
        ('"${params.note}"', None),
        ('"n=${params.n}, ${params.tone}${params.note}!"', "n=10, plain!"),
        ('"is ${params.fast}"', "is false"),
        ('"$${params.n}"', "${params.n}"),
        ('"$${params.n} is ${params.n}"', "${params.n} is 10"),
        ('"$5 and $x"', "$5 and $x"),
        ('["${params.n}", {k: "${params.tone}"}]', [10, {"k": "plain"}]),
    ],
)
def test_interpolation(write: Any, text: str, expected: Any) -> None:
    found = value(write, text)
    assert found == expected and type(found) is type(expected)


def test_a_whole_parameter_keeps_its_type_wherever_it_stands(write: Any) -> None:
    recipe = write(PARAMS.replace("VALUE", "1")).good
    assert recipe.outputs["d"].min_rows == 10


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("n", "42", 42),
        ("n", " 7 ", 7),
        ("share", "2.5e-1", 0.25),
        ("fast", "Yes", True),
        ("fast", "0", False),
        ("tone", "formal", "formal"),
        ("langs", "hi, bn", ["hi", "bn"]),
        ("langs", '["a,b", 3]', ["a,b", 3]),
        ("note", "10", "10"),
        ("n", 42, 42),
        ("langs", ["x"], ["x"]),
    ],
)
def test_overrides_are_read_by_type(write: Any, name: str, given: Any, expected: Any) -> None:
    found = write(PARAMS.replace("VALUE", "1"), {name: given}).good.params[name]
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("name", "given", "code", "says"),
    [
        ("n", "ten", "E212", "-p n: expected a whole number, found the text 'ten'"),
        ("n", "1.5", "E212", "expected a whole number"),
        ("n", "1_0", "E212", "expected a whole number"),
        ("n", "9" * 5000, "E212", "not so long"),
        ("n", "0", "E212", "at least 1, found 0"),
        ("n", "101", "E212", "at most 100, found 101"),
        ("n", True, "E212", "found true"),
        ("share", "nan", "E212", "expected a number"),
        ("fast", "maybe", "E212", "expected true or false"),
        ("tone", "formel", "E212", "did you mean formal?"),
        ("langs", "", "E212", "at least 1 items"),
        ("langs", "[1,", "E212", "JSON list"),
        ("docs", "", "E212", "expected a path, found nothing"),
        ("dox", "x", "E213", "did you mean 'docs'?"),
        ("qqqqqq", "x", "E213", "parameters of this recipe: docs, n"),
    ],
)
def test_wrong_overrides(write: Any, name: str, given: Any, code: str, says: str) -> None:
    loaded = write(PARAMS.replace("VALUE", '"${params.n}"'), {name: given})
    assert loaded.only.code == code and loaded.only.span is None
    assert says in f"{loaded.only.message} {loaded.only.help}"


@pytest.mark.parametrize(
    ("declaration", "code", "marked"),
    [
        ("{type: int, default: x}", "E210", "x"),
        ("{type: int, default: 1.0}", "E210", "1.0"),
        ("{type: int, default: 0, min: 1}", "E210", "0"),
        ("{type: string, default: 3}", "E210", "3"),
        ("{type: string, default: c, choices: [a, b]}", "E210", "c"),
        ("{type: list, default: a}", "E210", "a"),
        ("{type: int, required: true, help: the count}", "E214", "p"),
        ("{type: integer}", "E206", "integer"),
    ],
)
def test_wrong_declarations(with_tail: Any, declaration: str, code: str, marked: str) -> None:
    loaded = with_tail(f"params:\n  p: {declaration}\n")
    assert loaded.only.code == code
    assert loaded.marked(loaded.only) == marked


def test_a_required_parameter_can_be_given(with_tail: Any) -> None:
    text = "params:\n  p: {type: int, required: true}\n"
    assert with_tail(text, {"p": "3"}).good.params == {"p": 3}
    assert "-p p=…" in with_tail(text).only.help


def test_a_parameter_at_fault_is_told_once_and_not_again_where_it_is_used(write: Any) -> None:
    text = PARAMS.replace("VALUE", '"${params.n}"').replace("default: 10", "default: ten")
    loaded = write(text)
    assert [d.code for d in loaded.found] == ["E210"]


def test_path_defaults_lie_beside_the_recipe_and_overrides_in_the_working_directory(
    write: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    text = PARAMS.replace("VALUE", '"${params.docs}/part"')
    assert value(write, '"${params.docs}/part"') == str(tmp_path / "data/campus/part")
    recipe = write(text, {"docs": "mine"}).good
    assert recipe.params["docs"] == str(elsewhere / "mine")
    assert recipe.param_paths == {"docs"}
    assert write(text, {"docs": "s3://bucket/x"}).good.params["docs"] == "s3://bucket/x"
    assert write(text, {"docs": "bundled:recipes/x"}).good.params["docs"] == "bundled:recipes/x"
    assert write(text, {"docs": "/abs"}).good.params["docs"] == "/abs"


@pytest.mark.parametrize(
    ("text", "code", "marked", "says"),
    [
        ('"a ${params.n} b ${params.tune} c"', "E211", "${params.tune}", "did you mean ${params.tone}?"),
        ('"${params.zzzz}"', "E211", "${params.zzzz}", "parameters: docs"),
        ("'it''s ${params.zzzz}'", "E211", "${params.zzzz}", "parameters: docs"),
        ('"${n}"', "E216", "${n}", "did you mean ${params.n}?"),
        ('"${PATH}"', "E216", "${PATH}", "write ${params.name}"),
        ('"${params.n"', "E216", "${", "never closed"),
        ('"${env.HOME}"', "E215", "${env.HOME}", "endpoint.key"),
        ('"x ${params.langs}"', "E217", "${params.langs}", "whole value"),
        ('"$${params.n} ${params.zzzz}"', "E211", "${params.zzzz}", "parameters"),
    ],
)
def test_wrong_interpolations(write: Any, text: str, code: str, marked: str, says: str) -> None:
    loaded = write(PARAMS.replace("VALUE", text))
    assert loaded.only.code == code, loaded.found
    assert loaded.marked(loaded.only) == marked
    assert says in f"{loaded.only.message} {loaded.only.help}"


def test_places_inside_a_text_of_several_lines(write: Any) -> None:
    step = "  a:\n    use: x\n    with:\n      v: |\n        हिन्दी\n        one ${params.zz} two\n"
    text = PARAMS.replace("  a: {use: std.read, with: {v: VALUE}}", step)
    loaded = write(text)
    assert loaded.marked(loaded.only) == "${params.zz}"
    assert loaded.only.span.line == 17


@given(st.text(alphabet="ab ${}.params", max_size=30))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_escaping_every_dollar_brace_gives_the_text_itself(write: Any, text: str) -> None:
    import json

    escaped = text.replace("${", "$${")
    if "$$${" in escaped or "$$$" in escaped:
        return  # `$` before `${`: what is escaped is not the writer's `$`
    assert value(write, json.dumps(escaped)) == text


MODELS = """
attar: 1
name: x
params: {key: {default: K}, t: {type: float, default: 0.5}}
models:
  m:
    model: a
    sampling: {temperature: "${params.t}"}
    endpoint:
      url: https://${env.HOST}:${env.PORT}/v1
      key: ${env.API_KEY}
      headers: {X-Org: "org-${env.ORG}", X-Plain: yes it is}
  k: {extends: m}
steps: {a: {use: std.read}}
outputs: {d: {from: a}}
""".lstrip()


def test_secrets_are_named_and_never_read(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "hunter2")
    recipe = write(MODELS).good
    assert recipe.models["m"].endpoint.key == "${env.API_KEY}"
    assert recipe.models["m"].sampling.temperature == 0.5
    assert recipe.secrets == {
        f"models.{m}.endpoint.{k}": v
        for m in ("m", "k")
        for k, v in [("url", "HOST"), ("url#2", "PORT"), ("key", "API_KEY"), ("headers.X-Org", "ORG")]
    }
    assert "hunter2" not in repr(recipe)


@pytest.mark.parametrize(
    ("old", "new", "marked"),
    [
        ("model: a", "model: ${env.M}", "${env.M}"),
        ("default: K", 'default: K}, z: {default: "${env.M}"', None),
        ('"${params.t}"', '"${env.T}"', "${env.T}"),
    ],
)
def test_the_environment_is_read_nowhere_else(write: Any, old: str, new: str, marked: str | None) -> None:
    loaded = write(MODELS.replace(old, new))
    if marked is None:  # the declarations of parameters are taken literally
        assert loaded.good.params["z"] == "${env.M}"
        return
    assert loaded.only.code == "E215" and loaded.marked(loaded.only) == marked


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("${env.API_KEY}", "sk-12345"),
        ("X-Plain: yes it is", "Authorization: Bearer abc"),
        ("https://${env.HOST}:${env.PORT}/v1", "https://me:secret@host/v1"),
        ("https://${env.HOST}:${env.PORT}/v1", "https://me:secret@${env.HOST}/v1"),
        ("https://${env.HOST}:${env.PORT}/v1", "https://${env.HOST}/v1?v=1&api_key=sk-12345"),
    ],
)
def test_secrets_written_into_the_recipe_are_refused_and_not_repeated(write: Any, old: str, new: str) -> None:
    loaded = write(MODELS.replace(old, new))
    assert loaded.only.code == "E218"
    assert "sk-12345" not in loaded.only.message and "secret@" not in loaded.only.message
