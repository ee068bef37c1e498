"""Asks models: from the journal where the answer is known, else once, and journalled before anyone sees it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import orjson

from attar.api import Answer, RowError, Usage
from attar.errors import AttarError
from attar.identity import request_key
from attar.models import answers, rehearsal
from attar.models.binding import Bound, bind
from attar.models.calls import Call, Journal, ServedModel, Stop
from attar.models.meter import Meter
from attar.models.meter import Usage as Spent
from attar.models.policy import RetryPolicy
from attar.models.requests import check_length, plain, wire_body
from attar.models.secrets import Scrubber
from attar.models.tokens import local_counter
from attar.models.transport import Pool, Refused, Server

_READ: dict[str, Callable[[Any], dict[str, Any]]] = {
    "chat": answers.chat_value,
    "completion": answers.completion_value,
    "embeddings": answers.embeddings_value,
    "logprobs": answers.logprobs_value,
    "tokens": answers.tokens_value,
}


class ModelClient:
    """Calls the models of a run. One per process; use as an async context manager.

    Args:
        models: by their name in the recipe, as `resolve` made them (servers' addresses filled in).
        journal: where answers are kept.
        meter: counts what calls cost.
        policy: tries and patience; the default is changed by the environment variable ATTAR_RETRY.
        notice: told of things a person should know (a server that cannot be reached).
        env: where `${env.NAME}` is looked up; the process's environment by default.
    """

    def __init__(
        self,
        models: Mapping[str, ServedModel],
        journal: Journal,
        meter: Meter,
        *,
        policy: RetryPolicy | None = None,
        notice: Callable[[str], None] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._served = dict(models)
        self._journal = journal
        self._meter = meter
        self._env = os.environ if env is None else env
        self._policy = policy or RetryPolicy.from_env(self._env)
        self._notice = notice
        self._models: dict[str, Bound] = {}
        self._flying: dict[str, list[asyncio.Future[None]] | None] = {}
        self._pool: Pool | None = None

    async def __aenter__(self) -> Self:
        most: dict[str, int] = {}
        for served in self._served.values():
            name = served.server or served.name
            most[name] = max(most.get(name, 1), served.spec.in_flight)
        self._pool = Pool()
        secrets: list[str] = []
        self._models = {name: bind(served, self._env, self._policy, secrets) for name, served in self._served.items()}
        scrub = Scrubber(secrets)
        servers: dict[str, Server] = {}
        for bound in self._models.values():
            name = bound.served.server or bound.name
            server = servers.get(name)
            if server is None:
                server = servers[name] = Server(
                    f"the server of model {bound.name!r}", self._pool, self._policy, most[name], scrub, self._notice
                )
            bound.server = server
            if bound.backend is not None:
                await bound.backend.open()
            self._meter.prices(bound.name, bound.served.spec.prices)
        routes = [route for bound in self._models.values() for route in bound.routes.values()]
        self._pool.open(min((route.seconds for route in routes), default=600))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            await self._pool.close()
        for bound in self._models.values():
            if bound.backend is not None:
                await bound.backend.close()

    def halt(self) -> None:
        """Sends nothing more: requests in flight may end and are journalled; all others end as cancelled.

        Answers from the journal are still given. Must be called in the loop's own thread.
        """
        if self._pool is not None:
            self._pool.halted.set()
        for bound in self._models.values():
            if bound.server is not None:
                bound.server.limiter.dismiss()

    # -- the calls ---------------------------------------------------------------------------------------------

    async def chat(self, call: Call, seeds: Callable[[int], int], format_attempts: int = 2) -> Answer:
        """One chat completion. With a schema: asked again, with another seed, until the answer meets it.

        Args:
            seeds: seed of the k-th format attempt, from 0.
            format_attempts: times it is asked in all, at least once.

        Raises:
            RowError: `unparseable`, `truncated`, `too_long`, `refused`, `transport`, `rehearse`.
            Stop: the run cannot go on.
        """
        bound = self._models[call.model]
        usage = self._meter.of(call.step, call.model)
        sampling = bound.merged(call.sampling)
        schema = call.schema
        body: dict[str, Any] = {"messages": call.messages, "sampling": sampling}
        if schema is None:
            key, value = await self._value(bound, call, body, sampling, seeds(0), usage)
            return _answer(key, value)
        body["schema"] = schema
        check = answers.checker(schema)
        code = problem = ""
        for attempt in range(max(1, format_attempts)):
            if attempt:
                usage.format_retries += 1
            key, value = await self._value(bound, call, body, sampling, seeds(attempt), usage)
            parsed = answers.parse(value["text"], check)
            cut = value["finish"] == "length"
            if not parsed.problem and not (cut and parsed.repaired):
                return _answer(key, value, parsed.value, parsed.repaired)
            # a repaired half is no answer: what the model had still to say is lost
            code = "truncated" if cut else "unparseable"
            problem = "the answer was cut off at max_tokens" if cut else parsed.problem
        asked = max(1, format_attempts)
        raise RowError(code, f"{problem} (asked {asked} times)" if asked > 1 else problem)

    async def complete(self, call: Call, seed: int) -> Answer:
        """One raw text completion; errors as `chat`."""
        bound = self._models[call.model]
        sampling = bound.merged(call.sampling)
        body = {"prompt": call.prompt, "sampling": sampling}
        usage = self._meter.of(call.step, call.model)
        return _answer(*await self._value(bound, call, body, sampling, seed, usage))

    async def embed(self, call: Call, seed: int) -> list[list[float]]:
        """One vector per text; errors as `chat`. Journalled per list of texts."""
        if not call.texts:
            return []
        bound = self._models[call.model]
        usage = self._meter.of(call.step, call.model)
        # A text has one embedding: neither seed nor sampling tells two requests apart.
        _, value = await self._value(bound, call, {"input": list(call.texts)}, {}, 0, usage)
        vectors: list[list[float]] = value["vectors"]
        if len(vectors) != len(call.texts):
            raise RowError("refused", f"the server sent {len(vectors)} embeddings for {len(call.texts)} texts")
        return vectors

    async def logprobs(self, call: Call, seed: int) -> list[float]:
        """Log-probabilities (natural log) of the tokens of `call.prompt`, the first left out; errors as `chat`."""
        bound = self._models[call.model]
        usage = self._meter.of(call.step, call.model)
        _, value = await self._value(bound, call, {"prompt": call.prompt}, {}, 0, usage)
        numbers: list[float] = value["logprobs"]
        return numbers

    async def tokens(self, call: Call) -> int | None:
        """Tokens of `call.prompt` by the model's own tokenizer, special ones left out: by the tokenizer.json of a model
        that is a local folder, else by its server's /tokenize, journalled. None for rehearsed models and plugins'.

        Raises:
            RowError: `refused`, `transport`.
            Stop: the server has no /tokenize, or as `chat`.
        """
        bound = self._models[call.model]
        if bound.served.kind in ("rehearsal", "plugin"):
            return None
        count = local_counter(bound.model)
        if count is not None:
            return count(call.prompt)
        usage = self._meter.of(call.step, call.model)
        try:
            _, value = await self._value(bound, call, {"prompt": call.prompt}, {}, 0, usage)
        except Stop as stop:
            first = stop.diagnostics[0]
            if first.code != "E603":
                raise
            help = "only vLLM's servers count tokens (/tokenize): name a tokenizer's file instead of the model"
            raise Stop(first.code, first.message, help) from None
        counted: int = value["count"]
        return counted

    # -- one request -------------------------------------------------------------------------------------------

    async def _value(
        self, bound: Bound, call: Call, body: dict[str, Any], sampling: Mapping[str, Any], seed: int, usage: Spent
    ) -> tuple[str, dict[str, Any]]:
        """The request's key and its value: known, in flight already, or asked for now."""
        protocol = bound.protocols[call.protocol]
        if bound.served.kind == "rehearsal":
            body = {**body, **rehearsal.identity(call, seed)}
        key = request_key(protocol, bound.model, bound.revision, body, seed)
        journal = self._journal
        flying = self._flying
        while True:
            value = journal.get(key)
            if value is not None:
                usage.journal_hits += 1
                refused = value.get("refused")
                if refused is not None:
                    raise RowError(value.get("code", "refused"), refused)
                return key, value
            if key not in flying:
                break
            waiting = flying[key]
            if waiting is None:
                waiting = flying[key] = []
            done = asyncio.get_running_loop().create_future()
            waiting.append(done)
            await done
        flying[key] = None
        failure: Exception | None = None
        try:
            value = await self._ask(bound, call, sampling, seed, key, usage)
            # Before anyone sees it: a crash after this line pays nothing again. What was too long for the server as it
            # is set up today cost nothing and may fit tomorrow.
            if value.get("code") != "too_long":
                journal.put(key, call.protocol, value)
            else:
                raise RowError("too_long", value["refused"])
        except Exception as error:
            failure = error
            raise
        finally:
            waiting = flying.pop(key)
            if waiting:
                _wake(waiting, failure)
        refused = value.get("refused")
        if refused is not None:
            raise RowError(value["code"], refused)
        return key, value

    async def _ask(
        self, bound: Bound, call: Call, sampling: Mapping[str, Any], seed: int, key: str, usage: Spent
    ) -> dict[str, Any]:
        if bound.max_context is not None and call.protocol != "tokens":
            check_length(call, bound.max_context)
        assert self._pool is not None, "the client is not open"
        if self._pool.halted.is_set():
            raise asyncio.CancelledError("halted")
        began = time.monotonic()
        server = bound.server
        assert server is not None, "the client is not open"
        protocol = call.protocol
        outcome: Any
        if bound.served.kind == "rehearsal":
            outcome = _READ[protocol](rehearsal.respond(call, seed))
            await asyncio.sleep(0)
        else:
            wire: dict[str, Any] = wire_body(bound, call, sampling, seed)
            if bound.backend is not None:
                outcome = await self._ask_plugin(bound, call, wire, server, usage)
            else:
                outcome = await server.ask(
                    bound.routes[protocol],
                    orjson.dumps(wire, default=plain),
                    key,
                    call.priority,
                    usage,
                    _READ[protocol],
                )
        usage.requests += 1
        usage.seconds += time.monotonic() - began
        if type(outcome) is Refused:
            usage.refused += 1
            return {"refused": outcome.detail, "code": outcome.code}
        value: dict[str, Any] = outcome
        usage.prompt_tokens += value.get("prompt_tokens", 0)
        usage.completion_tokens += value.get("completion_tokens", 0)
        usage.cached_tokens += value.get("cached_tokens", 0)
        return value

    async def _ask_plugin(self, bound: Bound, call: Call, wire: dict[str, Any], server: Server, usage: Spent) -> Any:
        """A plugin's backend tries again by itself; what it lets through is a transport failure."""
        if not server.limiter.try_acquire():
            await server.limiter.acquire(call.priority)
        usage.in_flight += 1
        try:
            return _READ[call.protocol](await bound.backend.answer(call.protocol, wire))
        except (RowError, AttarError):
            raise
        except Exception as error:
            raise RowError("transport", f"backend {bound.served.backend}: {type(error).__name__}") from None
        finally:
            usage.in_flight -= 1
            server.limiter.release()


def _answer(key: str, value: Mapping[str, Any], parsed: Any = None, repaired: bool = False) -> Answer:
    get = value.get
    return Answer(
        value["text"],
        get("reasoning", ""),
        parsed,
        value["finish"],
        Usage(get("prompt_tokens", 0), get("completion_tokens", 0), get("cached_tokens", 0)),
        key,
        repaired,
        get("logprobs"),
    )


def _wake(waiting: list[asyncio.Future[None]], failure: Exception | None) -> None:
    """Tells those who asked the same: the answer is journalled, or nobody will bring it (they ask then), or this."""
    for done in waiting:
        if not done.done():
            if isinstance(failure, RowError):
                done.set_exception(RowError(failure.code, failure.detail))
            elif failure is not None:
                done.set_exception(failure)
            else:
                done.set_result(None)
