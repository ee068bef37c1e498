"""`extends` between models."""

from __future__ import annotations

from typing import Any

import pytest


def test_mappings_merge_and_the_rest_is_replaced(with_tail: Any) -> None:
    recipe = with_tail(
        """
        models:
          base:
            model: a
            revision: main
            serve: {dtype: bfloat16, tp: 2}
            endpoint: {url: "http://x", headers: {A: "1", B: "2"}}
            sampling: {temperature: 0.9, top_p: 0.5, stop: [x], chat_template_kwargs: {think: true, n: 1}}
            in_flight: 8
          mid: {extends: base, sampling: {temperature: 0.1, stop: [y]}, serve: {tp: 4}}
          leaf:
            extends: mid
            model: b
            endpoint: {headers: {B: "3"}}
            sampling: {top_p: null, chat_template_kwargs: {n: 2}}
        """
    ).good
    leaf = recipe.models["leaf"]
    assert leaf.model == "b" and leaf.revision == "main" and leaf.in_flight == 8 and leaf.extends is None
    assert leaf.serve == {"dtype": "bfloat16", "tp": 4}
    assert leaf.endpoint.url == "http://x" and leaf.endpoint.headers == {"A": "1", "B": "3"}
    assert leaf.sampling.temperature == 0.1 and leaf.sampling.top_p is None and leaf.sampling.stop == ["y"]
    assert leaf.sampling.chat_template_kwargs == {"think": True, "n": 2}
    assert recipe.models["base"].sampling.temperature == 0.9
    assert [path for _, path in recipe.model_paths.values()] == [("models", n) for n in ("base", "mid", "leaf")]


@pytest.mark.parametrize(
    ("models", "code", "marked", "says"),
    [
        ("{a: {model: x}, b: {extends: c}}", "E220", "c", "models: a, b"),
        ("{teacher: {model: x}, b: {extends: techer}}", "E220", "techer", "did you mean 'teacher'?"),
        ("{a: {extends: b, model: x}, b: {extends: a}}", "E221", "a", "a → b → a"),
        ("{a: {extends: a, model: x}}", "E221", "a", "a → a"),
        ("{c: {model: x, extends: a}, a: {extends: b, model: x}, b: {extends: a}}", "E221", "a", "a → b → a"),
        ("{a: {sampling: {top_p: 1}}}", "E222", "a", "model: …"),
        ("{a: {backend: vllm}, b: {extends: a}}", "E222", "b", "backend: rehearsal"),
    ],
)
def test_faults(with_tail: Any, models: str, code: str, marked: str, says: str) -> None:
    loaded = with_tail(f"models: {models}\n")
    assert loaded.only.code == code, loaded.found
    assert loaded.marked(loaded.only) == marked
    assert says in f"{loaded.only.message} {loaded.only.help}"


def test_who_needs_no_model_name(with_tail: Any) -> None:
    recipe = with_tail(
        "models: {r: {backend: rehearsal}, base: {sampling: {top_p: 1}}, b: {extends: base, model: x}}\n"
    )
    assert recipe.good.models["b"].sampling.top_p == 1


def test_a_base_that_a_step_asks_needs_one(write: Any) -> None:
    loaded = write(
        """
        attar: 1
        name: x
        models: {base: {sampling: {top_p: 1}}, b: {extends: base, model: x}}
        steps: {a: {use: std.read}, b: {use: llm.generate, from: a, model: base}}
        outputs: {d: {from: b}}
        """
    )
    assert loaded.only.code == "E222"
