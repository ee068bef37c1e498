"""Faults against the language: each at its place, in words about YAML, all at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "code", "place", "says"),
    [
        ("models: {m: {model: x, sampling: {temprature: 1}}}", "E203", (3, 35), "did you mean 'temperature'?"),
        ("models: {m: {model: x, sampling: {top-p: 1}}}", "E203", (3, 35), "did you mean 'top_p'?"),
        ("models: {m: {model: x, qqqqqq: 1}}", "E203", (3, 24), "allowed here: backend, endpoint"),
        ("seed: x", "E202", (3, 7), "expected a whole number, found the text 'x'"),
        ('seed: "7"', "E202", (3, 7), "leave out the quotes"),
        ("seed: 1.5", "E202", (3, 7), "found the number 1.5"),
        ("seed: -1", "E204", (3, 7), "at least 0"),
        ("seed: yes", "E202", (3, 7), "found true (written yes)"),
        ("description: 5", "E202", (3, 14), 'put it in quotes: "5"'),
        ("description: [a]", "E202", (3, 14), "expected text, found a list"),
        ("models: {m: {model: 1.10}}", "E202", (3, 21), '"1.10"'),
        ("models: [m]", "E202", (3, 9), "expected a mapping, found a list"),
        ("models: {m: {model: x, sampling: {stop: {a: b}}}}", "E202", (3, 41), "expected text or a list"),
        ("models: {m: {model: x, sampling: {stop: [a, 3]}}}", "E202", (3, 45), "expected text, found the number 3"),
        ("models: {m: {model: x, sampling: {temperature: 9}}}", "E204", (3, 48), "at most 5"),
        ("models: {m: {model: x, sampling: {reasoning_effort: hihg}}}", "E206", (3, 53), "did you mean high?"),
        ("models: {m: {model: x, serve: {a: [1]}}}", "E202", (3, 35), "found a list"),
        ("models: {m: {model: x, prices: {input: 1}}}", "E201", (3, 24), "missing key 'source' in models.m.prices"),
        ("models: {m: {model: x, in_flight: 0}}", "E204", (3, 35), "at least 1"),
        ("include: {file: x.yaml}", "E201", (3, 1), "missing key 'as'"),
        ("include: 3", "E202", (3, 10), "expected a list or a mapping"),
        ("include: [{file: 3, as: b}]", "E202", (3, 18), "expected text"),
        ("include: [{file: x, as: B}]", "E205", (3, 25), "must match"),
        ("params: {a: {type: integer}}", "E206", (3, 20), "did you mean int?"),
        ("params: {a: {defalt: 3}}", "E203", (3, 14), "did you mean 'default'?"),
        ("models: {a.b: {model: x}}", "E205", (3, 10), "'a_b'"),
        ("extra: 1", "E203", (3, 1), "allowed here: attar"),
        ("models:", "E202", (3, 8), "found nothing"),
    ],
)
def test_places_and_words(with_tail: Any, text: str, code: str, place: tuple[int, int], says: str) -> None:
    loaded = with_tail(text + "\n")
    assert loaded.places == [(code, *place)], loaded.found
    assert says in f"{loaded.only.message} {loaded.only.help}"


STEP = "attar: 1\nname: x\nsteps:\n  a: {use: std.read}\n  b: %s\noutputs: {d: {from: b}}\n"


@pytest.mark.parametrize(
    ("step", "code", "marked", "says"),
    [
        ("{use: x, form: a}", "E203", "form", "did you mean 'from'?"),
        ("{from: a}", "E201", "b", "missing key 'use' in steps.b"),
        ("{from: a, repeat: {times: 2}}", "E201", "repeat", "missing key 'steps' in steps.b.repeat"),
        ("{from: a, repeat: {tims: 2, times: 2, steps: {c: {use: y}}}}", "E203", "tims", "did you mean 'times'?"),
        ("{from: a, when: x, repeat: {times: 2, steps: {c: {use: y}}}}", "E203", "when", "allowed here: from, repeat"),
        ("{from: a, repeat: {times: 2, steps: {c: {use: z, usse: y}}}}", "E203", "usse", "did you mean 'use'?"),
        ("{from: a, repeat: {times: 2.5, steps: {c: {use: z}}}}", "E202", "2.5", "expected a whole number or text"),
        ("{from: a, repeat: {times: two, steps: {c: {use: z}}}}", "E240", "two", "expected a whole number"),
        ("{from: a, repeat: {times: 0, steps: {c: {use: z}}}}", "E240", "0", "1 to 1,000"),
        ("{from: a, repeat: {times: 2, steps: {}}}", "E241", "{}", "has no steps"),
        ("{from: a, repeat: {times: 2, steps: {c-d: {use: z}}}}", "E205", "c-d", "'c_d'"),
        ("{use: x, from: 3}", "E202", "3", "expected text or a list, found the number 3"),
        ("{use: x, from: [a, 3]}", "E202", "3", "expected text, found the number 3"),
        ("{use: x, from: a, on_fail: {retry: a, then: dorp}}", "E206", "dorp", "did you mean drop?"),
        ("{use: x, from: a, on_fail: {retry: a, attempts: 0}}", "E204", "0", "at least 1"),
        ("{use: x, from: a, prompt: [p]}", "E202", "[p]", "expected text or a mapping"),
        ("{use: x, from: a, with: [p]}", "E202", "[p]", "expected a mapping, found a list"),
        ("std.read", "E202", "std.read", "expected a mapping, found the text 'std.read'"),
    ],
)
def test_an_entry_of_steps_is_judged_as_what_it_means_to_be(
    write: Any, step: str, code: str, marked: str, says: str
) -> None:
    loaded = write(STEP % step)
    assert (loaded.only.code, loaded.only.span.line) == (code, 5)
    assert loaded.marked(loaded.only) == marked
    assert says in f"{loaded.only.message} {loaded.only.help}"


def test_missing_at_the_top_is_told_at_the_top(write: Any) -> None:
    loaded = write("# a comment\nattar: 1\nname: x\nsteps: {a: {use: std.read}}\n")
    assert loaded.recipe is None
    assert loaded.places == [("E201", 2, 1)]
    assert loaded.only.help == "add `outputs: …`"


def test_an_unknown_version_of_the_language(write: Any) -> None:
    loaded = write("attar: 2\nname: x\nsteps: {a: {use: std.read}}\noutputs: {d: {from: a}}\n")
    assert loaded.places == [("E206", 1, 8)]
    assert "expected 1, found the number 2" in loaded.only.message


@pytest.mark.parametrize("name", ["id", "retry", "params"])
def test_reserved_step_names(write: Any, name: str) -> None:
    loaded = write(f"attar: 1\nname: x\nsteps:\n  {name}: {{use: std.read}}\noutputs: {{d: {{from: {name}}}}}\n")
    assert loaded.places == [("E208", 4, 3)]


@pytest.mark.parametrize("name", ["rejected", "review", "dead_letter", "provenance"])
def test_reserved_output_names(write: Any, name: str) -> None:
    loaded = write(f"attar: 1\nname: x\nsteps:\n  a: {{use: std.read}}\noutputs: {{{name}: {{from: a}}}}\n")
    assert loaded.places == [("E208", 5, 11)]


SIX = """
attar: 1
name: x
seed: many
seed: 3
params:
  n: {type: int, default: x}
models:
  m: {model: a, sampling: {temprature: 1}}
  k: {extends: mm}
steps:
  a: {use: std.read, with: {path: "${params.doc}"}}
  b: {use: llm.generate, from: a, model: m, promt: p.md}
outputs:
  d: {form: b}
"""


def test_all_faults_are_told_at_once(write: Any) -> None:
    loaded = write(SIX.lstrip())
    assert loaded.places == [
        ("E202", 3, 7),
        ("E105", 4, 1),
        ("E210", 6, 27),
        ("E203", 8, 28),
        ("E220", 9, 16),
        ("E211", 11, 36),
        ("E203", 12, 45),
        ("E201", 14, 3),
        ("E203", 14, 7),
    ]


def test_what_is_left_of_a_faulty_recipe_can_be_planned(write: Any) -> None:
    loaded = write(SIX.lstrip().replace("form: b", "from: b").replace("extends: mm", "model: k"))
    assert {d.code for d in loaded.found} == {"E105", "E202", "E203", "E210", "E211"}
    assert loaded.recipe is not None
    assert loaded.recipe.steps["b"].inputs == ("a",)
    assert loaded.recipe.models["m"].sampling.temperature is None


def test_each_pair_of_a_value_and_its_place_is_right_in_a_good_recipe(write: Any) -> None:
    loaded = write("attar: 1\nname: x\nsteps:\n  a: {use: std.read}\noutputs:\n  d: {from: a}\n")
    recipe = loaded.good
    file, path = recipe.output_paths["d"]
    assert recipe.places.value(file, (*path, "from")).column == 13
    assert recipe.places.key(file, path).line == 6


def test_a_loaded_recipe_can_be_pickled(write: Any) -> None:
    import pickle

    recipe = write("attar: 1\nname: x\nsteps:\n  a: {use: std.read}\noutputs:\n  d: {from: a}\n").good
    again = pickle.loads(pickle.dumps(recipe))
    assert again.steps == recipe.steps
    assert again.places.value(again.file, ("name",)) == recipe.places.value(recipe.file, ("name",))


JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(alphabet="ab${}. ", max_size=6)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["use", "from", "with", "when", "on_fail", "repeat", "times", "steps", "model", "retry", "type",
                 "default", "extends", "sampling", "endpoint", "url", "file", "as", "a", "b", "stop", "zz"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=15,
)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["seed", "params", "models", "include", "steps", "outputs"]), JUNK, max_size=6))
def test_no_input_raises_and_every_fault_lies_in_the_file(write: Any, data: dict[str, Any]) -> None:
    import yaml

    text = yaml.safe_dump({"attar": 1, "name": "x", **data}, sort_keys=False)
    loaded = write(text)
    lines = text.split("\n")
    if loaded.recipe is None:
        assert any(d.severity == "error" for d in loaded.found)
    for found in loaded.found:
        assert found.span is not None
        assert 1 <= found.span.line <= len(lines)
        assert 1 <= found.span.column <= len(lines[found.span.line - 1]) + 1
        assert found.message and "pydantic" not in found.message and "Input should" not in found.message


def test_a_name_that_no_folder_could_bear(tmp_path: Any) -> None:
    from attar.recipe import load

    file = tmp_path / "recipe.yaml"
    body = "steps: {a: {use: std.read, with: {path: a.jsonl}}}\noutputs: {dataset: {from: a}}\n"
    for length, codes in ((100, []), (101, ["E204"])):
        file.write_text(f"attar: 1\nname: {'n' * length}\n{body}", encoding="utf-8")
        _, found = load(file)
        assert [one.code for one in found] == codes, found
        assert all(one.message == "name: expected at most 100 characters, found 101" and one.help for one in found)
