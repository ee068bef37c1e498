"""Which backend is taken and why; what a ServedModel may hold."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest

from attar.api import RowError
from attar.errors import AttarError
from attar.models import Call, Meter, ModelClient, resolve
from attar.models import backends as module
from attar.models.secrets import base_url, resolve_text
from attar.recipe.language import Endpoint, ModelSpec

TINY = {"m": ModelSpec(model="tiny")}
AUTO = TINY


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(gpu: str, vllm: bool) -> None:
        monkeypatch.setattr(module, "find_gpu", lambda env: gpu)
        monkeypatch.setattr(module, "has_vllm", lambda: vllm)

    make("", False)
    return make


def test_auto_takes_the_endpoint_then_vllm_then_rehearsal(machine: Any) -> None:
    env = {"ATTAR_BASE_URL": "http://h:1", "OPENAI_BASE_URL": "http://h:2"}
    machine("1 NVIDIA GPU", True)
    first = resolve(AUTO, {"m"}, None, env)["m"]
    assert (first.kind, first.url_from) == ("endpoint", "environment variable ATTAR_BASE_URL")
    assert resolve(AUTO, {"m"}, None, {"OPENAI_BASE_URL": "x"})["m"].url_from == "environment variable OPENAI_BASE_URL"
    second = resolve(AUTO, {"m"}, None, {})["m"]
    assert second.kind == "vllm" and "1 NVIDIA GPU" in second.why
    for gpu, vllm, missing in (("", True, "no GPU was found"), ("a GPU", False, "vllm is not installed")):
        machine(gpu, vllm)
        third = resolve(AUTO, {"m"}, None, {})["m"]
        assert third.kind == "rehearsal" and missing in third.why and "ATTAR_BASE_URL" in third.why


def test_the_recipes_own_endpoint_comes_before_the_environment(machine: Any) -> None:
    spec = {"m": ModelSpec(model="tiny", endpoint=Endpoint(url="${env.MINE}"))}
    found = resolve(spec, {"m"}, None, {"ATTAR_BASE_URL": "http://h:1", "MINE": "http://h:2"})["m"]
    assert found.url_from == "environment variable MINE" and found.url == "${env.MINE}"
    plain = {"m": ModelSpec(model="tiny", endpoint=Endpoint(url="http://gpu-box:8000"))}
    assert resolve(plain, {"m"}, None, {})["m"].url_from == "endpoint.url of the recipe"


def test_override_wins_over_the_recipe(machine: Any) -> None:
    spec = {"m": ModelSpec(model="tiny", backend="vllm")}
    assert resolve(spec, {"m"}, "rehearsal", {})["m"].kind == "rehearsal"


def test_all_that_is_wrong_is_said_at_once(machine: Any) -> None:
    specs = {
        "a": ModelSpec(model="x", backend="endpoint"),
        "b": ModelSpec(model="x", backend="vllm"),
        "c": ModelSpec(model="x", backend="vlm"),
        "d": ModelSpec(endpoint=Endpoint(url="http://h:1")),
        "unused": ModelSpec(backend="nonsense"),
    }
    with pytest.raises(AttarError) as caught:
        resolve(specs, {"a", "b", "c", "d"}, None, {})
    assert [d.code for d in caught.value.diagnostics] == ["E611", "E612", "E610", "E613"]
    assert all(d.help for d in caught.value.diagnostics) and caught.value.exit_code == 2


def test_equal_models_share_a_server(machine: Any) -> None:
    machine("1 NVIDIA GPU", True)
    one = ModelSpec(model="x", serve={"dtype": "bfloat16"})
    specs = {"a": one, "b": one.model_copy(update={"in_flight": 7}), "c": ModelSpec(model="x", revision="r")}
    found = resolve(specs, set(specs), "vllm", {})
    assert found["a"].server == found["b"].server != found["c"].server


def test_priority_is_sent_only_where_vllm_orders_by_it(machine: Any) -> None:
    machine("1 NVIDIA GPU", True)
    on = {"m": ModelSpec(model="x", serve={"scheduling-policy": "priority"})}
    assert resolve(on, {"m"}, "vllm", {})["m"].send_priority
    assert not resolve(TINY, {"m"}, "vllm", {})["m"].send_priority
    assert not resolve(on, {"m"}, "endpoint", {"ATTAR_BASE_URL": "x"})["m"].send_priority


def test_a_served_model_pickles_and_holds_no_values(machine: Any) -> None:
    env = {"ATTAR_BASE_URL": "http://secret-host:1", "ATTAR_API_KEY": "sk-secret"}
    served = resolve(AUTO, {"m"}, None, env)
    data = pickle.dumps(served)
    assert b"secret" not in data and pickle.loads(data) == served
    assert served["m"].key_from == "environment variable ATTAR_API_KEY"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("http://h:1", "http://h:1/v1"),
        ("http://h:1/", "http://h:1/v1"),
        ("http://h:1/v1/", "http://h:1/v1"),
        ("h:8000", "http://h:8000/v1"),
        ("https://h/api/v3", "https://h/api/v3"),
        ("http://h:1/v1/chat/completions", "http://h:1/v1"),
    ],
)
def test_base_urls(given: str, wanted: str) -> None:
    assert base_url(given) == wanted


def test_interpolation_of_the_environment() -> None:
    assert resolve_text("a ${env.X} $${env.X}", {"X": "1"}, "m") == "a 1 ${env.X}"


def test_gpus_hidden_by_the_environment_do_not_count() -> None:
    assert module.find_gpu({"CUDA_VISIBLE_DEVICES": ""}) == ""
    assert module.find_gpu({"CUDA_VISIBLE_DEVICES": "-1"}) == ""


class Backwards:
    """A plugin's backend: says the last message backwards."""

    def __init__(self, served: Any) -> None:
        self.open_now = False

    async def open(self) -> None:
        self.open_now = True

    async def answer(self, protocol: str, body: Any) -> Any:
        assert self.open_now and protocol == "chat"
        text = body["messages"][-1]["content"]
        if text == "raise":
            raise KeyError("inside")
        return {"choices": [{"message": {"content": text[::-1]}, "finish_reason": "stop"}]}

    async def close(self) -> None:
        self.open_now = False


def test_a_plugins_backend(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    home = types.ModuleType("a_plugin_backend")
    home.Backwards = Backwards  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_plugin_backend", home)
    specs = {"m": ModelSpec(model="x", backend="backwards")}
    served = resolve(specs, {"m"}, None, {}, backends={"backwards": "a_plugin_backend:Backwards"})
    assert served["m"].kind == "plugin"

    async def body() -> None:
        journal: dict[str, Any] = {}

        class J:
            get = staticmethod(journal.get)

            def put(self, key: str, kind: str, value: Any) -> None:
                journal[key] = value

        async with ModelClient(served, J(), Meter(), env={}) as client:

            def call(text: str) -> Call:
                return Call("chat", "m", "s", "r", 0, messages=[{"role": "user", "content": text}])

            assert (await client.chat(call("abc"), lambda k: k)).text == "cba"
            with pytest.raises(RowError) as caught:
                await client.chat(call("raise"), lambda k: k)
            assert caught.value.code == "transport" and len(journal) == 1

    asyncio.run(body())
