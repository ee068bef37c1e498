"""`include` and `repeat` written out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

REPEAT = """
attar: 1
name: x
params: {times: {type: int, default: 3}}
steps:
  src: {use: std.read}
  hops:
    from: src
    repeat:
      times: ${params.times}
      steps:
        gen: {use: llm.generate, with: {n: 1}}
        ok: {use: llm.judge, on_fail: {retry: gen}, index: src}
        side: {use: std.derive, from: gen}
        both: {use: std.derive, from: [ok, side, src]}
  after: {use: std.derive, from: [hops, src]}
  again: {use: llm.judge, from: after, on_fail: {retry: hops}, index: hops}
outputs:
  d: {from: hops}
""".lstrip()


def test_repeat(write: Any) -> None:
    recipe = write(REPEAT).good
    names = list(recipe.steps)
    assert names == [
        "src",
        *(f"hops.{n}.{s}" for n in (1, 2, 3) for s in ("gen", "ok", "side", "both")),
        "after",
        "again",
    ]
    inputs = {name: step.inputs for name, step in recipe.steps.items()}
    assert inputs["hops.1.gen"] == ("src",)
    assert inputs["hops.2.gen"] == ("hops.1.both",)
    assert inputs["hops.2.ok"] == ("hops.2.gen",)
    assert inputs["hops.3.side"] == ("hops.3.gen",)
    assert inputs["hops.3.both"] == ("hops.3.ok", "hops.3.side", "src")
    assert inputs["after"] == ("hops.3.both", "src")
    assert recipe.steps["hops.2.ok"].on_fail.retry == "hops.2.gen"
    assert recipe.steps["hops.2.ok"].refs == {"index": "src"}
    assert recipe.steps["again"].on_fail.retry == "hops.3.both"
    assert recipe.steps["again"].refs == {"index": "hops.3.both"}
    assert recipe.steps["hops.3.gen"].rewrites == ("hops.1.gen", "hops.2.gen")
    assert recipe.steps["hops.1.gen"].rewrites == ()
    path = recipe.steps["hops.3.gen"].path
    assert path == ("steps", "hops", "repeat", "steps", "gen")
    assert recipe.places.key(recipe.file, path).line == 11
    assert recipe.outputs["d"].from_ == "hops.3.both"


def test_the_number_of_rounds_may_be_given(write: Any) -> None:
    assert len(write(REPEAT, {"times": "1"}).good.steps) == 3 + 4
    loaded = write(REPEAT, {"times": "0"})
    assert loaded.only.code == "E240" and loaded.marked(loaded.only) == "${params.times}"


@given(st.integers(1, 6), st.integers(1, 5))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_repeat_is_one_chain(write: Any, times: int, size: int) -> None:
    steps = ", ".join(f"s{i}: {{use: x.y}}" for i in range(size))
    text = "attar: 1\nname: x\nsteps:\n  a: {use: std.read}\n"
    text += f"  b: {{from: a, repeat: {{times: {times}, steps: {{{steps}}}}}}}\noutputs: {{d: {{from: b}}}}\n"
    recipe = write(text).good
    at, chain = recipe.outputs["d"].from_, []
    while recipe.steps[at].inputs:
        chain.append(at)
        (at,) = recipe.steps[at].inputs
    assert at == "a"
    assert chain[::-1] == [f"b.{n}.s{i}" for n in range(1, times + 1) for i in range(size)]


INNER = """
attar: 1
name: inner
seed: 9
params:
  top_k: {type: int, default: 3}
  docs: {type: path, required: true}
  plain: {default: p}
models:
  small: {model: x, endpoint: {key: "${env.INNER_KEY}"}}
steps:
  read: {use: std.read, with: {path: "${params.docs}", k: "${params.top_k}"}}
  loop: {from: read, repeat: {times: 2, steps: {g: {use: llm.generate, model: small}}}}
  done: {use: llm.judge, from: loop, model: small, on_fail: {retry: loop}, prompt: p.md}
outputs:
  dataset: {from: done}
"""
OUTER = """
attar: 1
name: outer
params: {k: {type: int, default: 5}}
include:
  - {file: parts/inner.yaml, as: rag, with: {top_k: "${params.k}", docs: data}}
  - {file: parts/inner.yaml, as: two, with: {docs: /abs}}
models: {small: {model: other}}
steps:
  own: {use: std.derive, from: rag.done, model: small}
  use_block: {use: std.derive, from: [own, rag.loop], model: rag.small}
outputs:
  d: {from: use_block}
  e: {from: two.done}
"""


def test_include(write: Any, tmp_path: Any) -> None:
    recipe = write(OUTER, files={"parts/inner.yaml": INNER}).good
    inner = ["read", "loop.1.g", "loop.2.g", "done"]
    assert list(recipe.steps) == [*(f"rag.{n}" for n in inner), *(f"two.{n}" for n in inner), "own", "use_block"]
    assert recipe.name == "outer" and recipe.seed == 0 and recipe.params == {"k": 5}
    done = recipe.steps["rag.done"]
    assert done.inputs == ("rag.loop.2.g",) and done.on_fail.retry == "rag.loop.2.g"
    assert done.refs == {"model": "rag.small", "prompt": "p.md"}
    assert done.file == tmp_path / "parts/inner.yaml" and done.path == ("steps", "done")
    assert recipe.places.key(done.file, done.path).file.endswith("inner.yaml")
    assert recipe.steps["own"].refs["model"] == "small"
    assert recipe.steps["own"].inputs == ("rag.done",)
    assert recipe.steps["use_block"].inputs == ("own", "rag.loop.2.g")
    assert recipe.steps["rag.read"].with_ == {"path": str(tmp_path / "data"), "k": 5}
    assert recipe.steps["two.read"].with_ == {"path": "/abs", "k": 3}
    assert recipe.steps["two.done"].params["top_k"] == 3 and recipe.steps["own"].params == {"k": 5}
    assert set(recipe.models) == {"small", "rag.small", "two.small"}
    assert recipe.model_paths["rag.small"] == (tmp_path / "parts/inner.yaml", ("models", "small"))
    assert recipe.secrets["models.two.small.endpoint.key"] == "INNER_KEY"
    assert set(recipe.outputs) == {"d", "e"}


def test_an_include_of_an_include(write: Any) -> None:
    middle = "attar: 1\nname: m\ninclude: {file: inner.yaml, as: in, with: {docs: /d}}\n"
    middle += "steps: {end: {use: std.derive, from: in.done}}\noutputs: {d: {from: end}}\n"
    outer = "attar: 1\nname: o\ninclude: {file: parts/m.yaml, as: m}\n"
    outer += "steps: {end: {use: std.derive, from: m.end}}\noutputs: {d: {from: end}}\n"
    recipe = write(outer, files={"parts/m.yaml": middle, "parts/inner.yaml": INNER}).good
    assert recipe.steps["m.end"].inputs == ("m.in.done",)
    assert "m.in.small" in recipe.models
    assert recipe.steps["end"].inputs == ("m.end",)


@pytest.mark.parametrize(
    ("include", "code", "marked", "says"),
    [
        ("{file: parts/iner.yaml, as: r}", "E101", "parts/iner.yaml", "did you mean inner.yaml?"),
        ("{file: prts/inner.yaml, as: r}", "E101", "prts/inner.yaml", "did you mean parts/?"),
        ("{file: r.yaml, as: r}", "E230", "r.yaml", "do not lead back"),
        ("{file: parts/back.yaml, as: r}", "E230", "../r.yaml", "do not lead back"),
        ("{file: parts/inner.yaml, as: a, with: {docs: x}}", "E231", "a", "the name of a step"),
        ("[{file: parts/inner.yaml, as: r, with: {docs: x}}, {file: parts/inner.yaml, as: r}]", "E231", "r", "another"),
        ("{file: parts/inner.yaml, as: r, with: {docs: x, topk: 1}}", "E213", "1", "did you mean 'top_k'?"),
        ("{file: parts/inner.yaml, as: r, with: {docs: x, top_k: many}}", "E212", "many", "a whole number"),
        ("{file: parts/inner.yaml, as: r}", "E214", "docs", "under the include's with"),
        ("{file: bundled:other/x.yaml, as: r}", "E114", "bundled:other/x.yaml", "recipes, prompts, schemas"),
        ("{file: nobody:x.yaml, as: r}", "E114", "nobody:x.yaml", "attar plugins list"),
    ],
)
def test_include_faults(write: Any, include: str, code: str, marked: str, says: str) -> None:
    back = "attar: 1\nname: b\ninclude: {file: ../r.yaml, as: c}\n"
    back += "steps: {a: {use: std.read}}\noutputs: {d: {from: a}}\n"
    text = f"attar: 1\nname: x\ninclude: {include}\nsteps: {{a: {{use: std.read}}}}\noutputs: {{d: {{from: a}}}}\n"
    loaded = write(text, files={"parts/inner.yaml": INNER, "parts/back.yaml": back})
    assert loaded.only.code == code, loaded.found
    assert loaded.marked(loaded.only) == marked
    assert says in f"{loaded.only.message} {loaded.only.help}"


def test_a_file_included_twice_tells_its_faults_once(write: Any) -> None:
    loaded = write(OUTER, files={"parts/inner.yaml": INNER.replace("seed: 9", "sed: 9")})
    assert loaded.only.code == "E203"


def test_faults_of_an_included_recipe_are_told_in_its_own_file(write: Any) -> None:
    text = "attar: 1\nname: x\ninclude: {file: p.yaml, as: p, with: {docs: d}}\n"
    text += "steps: {a: {use: std.read, form: x}}\noutputs: {d: {from: a}}\n"
    loaded = write(text, files={"p.yaml": INNER.replace("seed: 9", "sed: 9").replace("top_k}", "topk}")})
    assert [(d.code, d.span.file.rsplit("/")[-1], d.span.line) for d in loaded.found] == [
        ("E203", "p.yaml", 4),
        ("E211", "p.yaml", 12),
        ("E203", "r.yaml", 4),
    ]
