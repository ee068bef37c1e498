"""Shapes of servers' bodies, reasoning, JSON; policy and proxies from the environment."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attar.errors import AttarError
from attar.models import RetryPolicy
from attar.models.answers import chat_value, checker, completion_value, logprobs_value, parse, split_reasoning
from attar.models.transport import message_of, proxy_for


def _body(**message: Any) -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": "stop"}]}


def test_the_fields_servers_use_for_reasoning() -> None:
    for field in ("reasoning_content", "reasoning"):
        value = chat_value(_body(content="yes", **{field: "because"}))
        assert (value["text"], value["reasoning"]) == ("yes", "because")
    assert chat_value(_body(content=None, reasoning="only that")) == {
        "text": "",
        "finish": "stop",
        "reasoning": "only that",
    }
    assert chat_value(_body(content=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]))["text"] == "ab"


@pytest.mark.parametrize(
    ("text", "reasoning", "content"),
    [
        ("<think>a\nb</think>\n\nc", "a\nb", "c"),
        ("<think></think>c", "", "c"),
        ("a</think>c", "a", "c"),
        ("c", "", "c"),
        ("c <think>a</think> d", "", "c <think>a</think> d"),
        ("<think>never closed", "", "<think>never closed"),
    ],
)
def test_think_tags(text: str, reasoning: str, content: str) -> None:
    assert split_reasoning(text) == (reasoning, content)


def test_cached_tokens_are_counted() -> None:
    body = _body(content="x")
    body["usage"] = {"prompt_tokens": 9, "completion_tokens": None, "prompt_tokens_details": {"cached_tokens": 4}}
    value = chat_value(body)
    assert (value["prompt_tokens"], value["completion_tokens"], value["cached_tokens"]) == (9, 0, 4)


def test_both_forms_of_prompt_logprobs() -> None:
    openai = {
        "choices": [{"text": "ab?", "logprobs": {"token_logprobs": [None, -1.0, -9.0]}}],
        "usage": {"prompt_tokens": 2},
    }
    assert logprobs_value(openai)["logprobs"] == [-1.0]
    vllm = {"choices": [{"text": "", "prompt_logprobs": [None, {"5": {"logprob": -1.5}, "7": {"logprob": -0.1}}]}]}
    assert logprobs_value(vllm)["logprobs"] == [-1.5]
    assert completion_value({"choices": [{"text": "t", "finish_reason": None}]}) == {"text": "t", "finish": "stop"}


def test_parsing_says_where_it_does_not_fit() -> None:
    check = checker({"type": "object", "properties": {"a": {"items": {"type": "integer"}}}})
    assert parse('{"a": [1, "x"]}', check).problem == "a/1: 'x' is not of type 'integer'"
    assert parse("", check).problem == "the answer is empty"
    assert parse("I cannot do that.", check).problem
    assert parse('Sure! {"a": [1]}', check) == ({"a": [1]}, "", True)


@given(st.text(max_size=60))
def test_parsing_never_raises(text: str) -> None:
    parsed = parse(text, checker({"type": "object", "required": ["a"]}))
    assert parsed.problem or "a" in parsed.value


@given(st.binary(max_size=60))
def test_error_bodies_of_any_kind_give_a_message(raw: bytes) -> None:
    assert len(message_of(raw)) <= 500


def test_messages_in_the_shapes_servers_use() -> None:
    assert message_of(b'{"error":{"message":"m","code":400}}') == "m"
    assert message_of(b'{"object":"error","message":"m"}') == "m"
    assert message_of(b'{"detail":"m"}') == "m"
    assert message_of(b'{"error":"m"}') == "m"
    assert message_of(b"plain") == "plain"


def test_the_retry_policy_from_the_environment() -> None:
    assert RetryPolicy.from_env({}) == RetryPolicy()
    assert RetryPolicy.from_env({"ATTAR_RETRY": "tries=3, first=0.1"}) == RetryPolicy(tries=3, first=0.1)
    for wrong in ("trys=3", "tries=many", "tries"):
        with pytest.raises(AttarError, match="ATTAR_RETRY"):
            RetryPolicy.from_env({"ATTAR_RETRY": wrong})


def test_proxies_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert proxy_for("http://model.example/v1") is None
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1,.inside")
    assert proxy_for("http://model.example/v1") == "http://proxy.example:3128"
    for inside in ("http://127.0.0.1:8000/v1", "http://gpu.inside/v1", "https://model.example/v1"):
        assert proxy_for(inside) is None
