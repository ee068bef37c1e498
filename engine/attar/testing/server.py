"""The stand-in server: OpenAI-compatible, strict about paths and bodies, deterministic, faulty on request.

    python -m attar.testing.server --port 0 --print-port --set responder=schema

Its answers depend on the request key (X-Request-Id) alone, so runs can be compared. It counts keys answered before and
asked again ("paid twice"), which is what an engine that journals its answers must keep at zero.
"""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import itertools
import signal
import ssl
import sys
import time
from email.utils import formatdate
from random import Random
from typing import Any

import orjson
from pydantic import ValidationError

from attar.testing import batching, responders, wire
from attar.testing.counts import Counts
from attar.testing.settings import FAULTS, Settings
from attar.testing.wire import Request

_SAMPLING = {
    "model", "max_tokens", "temperature", "top_p", "top_k", "min_p", "min_tokens", "stop", "presence_penalty",
    "frequency_penalty", "repetition_penalty", "seed", "n", "stream", "user", "priority", "response_format",
}  # fmt: skip
_FIELDS = {
    "/v1/chat/completions": _SAMPLING
    | {"messages", "max_completion_tokens", "reasoning_effort", "chat_template_kwargs", "logprobs", "top_logprobs"},
    "/v1/completions": _SAMPLING | {"prompt", "echo", "logprobs", "prompt_logprobs", "add_special_tokens"},
    "/v1/embeddings": {"model", "input", "encoding_format", "dimensions", "user", "priority"},
    "/tokenize": {"model", "prompt", "add_special_tokens"},
}
_NEEDS = {
    "/v1/chat/completions": "messages",
    "/v1/completions": "prompt",
    "/v1/embeddings": "input",
    "/tokenize": "prompt",
}
_STATUS_FAULTS = {"503": 503, "500": 500, "429": 429, "400": 400}


class StandIn:
    """Answers requests; one per process."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.counts = Counts()
        self.settings = settings
        self.batching = batching.Batching(settings, loop)
        self._found: dict[str, responders.Responder] = {}
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Takes new settings.

        Raises:
            ValueError: a responder does not exist.
        """
        for spec in (settings.responder, *settings.responders.values(), *settings.markers.values()):
            self._found.setdefault(spec, responders.find(spec))
        self.settings = settings
        self.batching.settings = settings
        shares, edge = [], 0.0
        for kind in FAULTS:
            edge += settings.faults.get(kind, 0)  # type: ignore[call-overload]
            shares.append((edge, kind))
        self._shares = shares if edge else []

    # -- the way of a request ----------------------------------------------------------------------------------

    def handle(self, request: Request) -> None:
        path = request.path
        if path in _FIELDS:
            if request.method == "POST":
                self._model_call(request, path)
            else:
                _error(request, 405, "Method Not Allowed")
        elif path == "/v1/models" and request.method == "GET":
            if self._authorized(request):
                names = self.settings.models or ["stand-in"]
                rows = [{"id": n, "object": "model", "max_model_len": self.settings.max_context} for n in names]
                request.reply(orjson.dumps({"object": "list", "data": rows}))
        elif path == "/health" and request.method == "GET":
            request.reply(b"{}")
        elif path.startswith("/admin/"):
            self._admin(request, path[7:])
        else:
            request.reply(b'{"detail":"Not Found"}', 404)

    def _authorized(self, request: Request) -> bool:
        wanted = self.settings.api_key
        if wanted is None or request.header(b"authorization") == f"Bearer {wanted}":
            return True
        _error(request, 401, "Unauthorized")
        return False

    def _model_call(self, request: Request, path: str) -> None:
        if not self._authorized(request):
            return
        try:
            body = orjson.loads(request.body)
        except orjson.JSONDecodeError as error:
            _error(request, 400, f"the body is no JSON: {error}")
            return
        problem = self._problem(path, body)
        if problem is not None:
            _error(request, *problem)
            return
        key = request.header(b"x-request-id") or hashlib.blake2b(request.body, digest_size=16).hexdigest()
        model = body["model"]
        number = self.counts.arrived(key, model, time.monotonic())
        request.gone = self._gone
        fault = self._fault(key, number)
        if fault is not None:
            self.counts.faults[fault] += 1
            if fault not in ("half_json", "length"):
                self._fail(request, fault)
                return
        settings = self.settings
        if settings.mode == "instant" and not settings.latency:
            self._answer(request, path, key, body, fault)
        elif settings.mode == "instant":
            delay = settings.latency * _share(f"latency {settings.seed} {key} {number}")
            request.state = self._loop.call_later(delay, self._answer, request, path, key, body, fault)
        else:
            rng = Random(f"length {settings.seed} {key}")
            cap = body.get("max_tokens") or body.get("max_completion_tokens")
            tokens = 1 if path in ("/v1/embeddings", "/tokenize") else batching.length(settings, rng, cap)
            request.state = self.batching.submit(
                tokens,
                len(request.body) // 4,
                body.get("priority", 0),
                lambda: self._answer(request, path, key, body, fault, tokens),
            )

    def _problem(self, path: str, body: Any) -> tuple[int, str] | None:
        if not isinstance(body, dict):
            return 400, "the body must be an object"
        unknown = body.keys() - _FIELDS[path]
        if unknown:
            return 400, f"unknown fields: {', '.join(sorted(unknown))}"
        need = _NEEDS[path]
        if not body.get(need) or not isinstance(body.get("model"), str):
            return 400, f"fields 'model' and {need!r} are required"
        settings = self.settings
        if settings.models and body["model"] not in settings.models:
            return 404, f"The model `{body['model']}` does not exist."
        if path == "/v1/chat/completions":
            for message in body["messages"]:
                if not isinstance(message, dict) or "role" not in message or "content" not in message:
                    return 400, "every message needs 'role' and 'content'"
        if body.get("stream") or body.get("n", 1) != 1:
            return 400, "stream and n > 1 are not supported here"
        if settings.max_context is not None:
            tokens = len(responders.text_of(body["messages"]) if need == "messages" else str(body[need])) // 4
            if tokens > settings.max_context:
                return 400, (
                    f"This model's maximum context length is {settings.max_context} tokens. However, your request has"
                    f" {tokens} input tokens. Please reduce the length of the input messages."
                )
        return None

    # -- faults ------------------------------------------------------------------------------------------------

    def _fault(self, key: str, number: int) -> str | None:
        settings = self.settings
        if self.counts.requests <= settings.fail_first_requests or number <= settings.fail_first_tries:
            return settings.fail_kind
        if self._shares:
            drawn = _share(f"fault {settings.seed} {key} {number}")
            for edge, kind in self._shares:
                if drawn < edge:
                    return kind
        return None

    def _fail(self, request: Request, fault: str) -> None:
        settings = self.settings
        if fault == "hang":
            return  # `_gone` counts it when the client gives up
        request.gone = None
        self.counts.left()
        if fault == "cut_head":
            request.cut(b"HTTP/1.1 200 OK\r\nContent-Ty")
        elif fault == "cut_body":
            request.cut(
                wire.full(b'{"id":"x","choices":[{"index":0,"message":{"content":"hal').replace(b": 57", b": 900")
            )
        elif fault == "broken_body":
            request.reply(b"<html>a proxy's page</html>")
        else:
            status = _STATUS_FAULTS[fault]
            after = settings.retry_after
            headers = ""
            if after is not None and status in (429, 503):
                value = formatdate(time.time() + after, usegmt=True) if settings.retry_after_date else f"{after:g}"
                headers = f"Retry-After: {value}\r\n"
            _error(request, status, settings.fault_message, headers)

    def _gone(self, request: Request) -> None:
        """The client left before its answer."""
        state = request.state
        if isinstance(state, batching.Sequence):
            self.batching.abort(state)
        elif state is not None:
            state.cancel()
        self.counts.aborted += 1
        self.counts.left()

    # -- answers -----------------------------------------------------------------------------------------------

    def _answer(
        self, request: Request, path: str, key: str, body: dict[str, Any], fault: str | None, tokens: int | None = None
    ) -> None:
        try:
            if path == "/v1/embeddings":
                answer, spent = self._embeddings(body)
            elif path == "/tokenize":
                answer, spent = self._tokens(body)
            elif path == "/v1/completions":
                answer, spent = self._completion(key, body, fault, tokens)
            else:
                answer, spent = self._chat(key, body, fault, tokens)
        except Exception as error:  # a responder of the test's own
            request.gone = None
            self.counts.left()
            _error(request, 500, f"responder: {type(error).__name__}: {error}")
            return
        request.gone = None
        self.counts.answered(key, spent, time.monotonic())
        request.reply(orjson.dumps(answer))

    def _responder(self, body: dict[str, Any], messages: Any) -> responders.Responder:
        settings = self.settings
        if settings.markers:
            text = responders.text_of(messages)
            for marker, spec in settings.markers.items():
                if marker in text:
                    return self._found[spec]
        return self._found[settings.responders.get(body["model"], settings.responder)]

    def _reply(self, key: str, body: dict[str, Any], messages: Any, fault: str | None) -> responders.Reply:
        responder = self._responder(body, messages)
        rng = _UNUSED if responder is responders.echo else Random(f"answer {self.settings.seed} {key}")
        reply = responders.content_of(responder(messages, body, rng))
        if fault is not None:
            half = reply.content[: len(reply.content) // 2]
            reply = reply._replace(content=half, finish_reason="length" if fault == "length" else reply.finish_reason)
        return reply

    def _chat(
        self, key: str, body: dict[str, Any], fault: str | None, tokens: int | None
    ) -> tuple[dict[str, Any], tuple[int, int]]:
        messages = body["messages"]
        reply = self._reply(key, body, messages, fault)
        message: dict[str, Any] = {"role": "assistant", "content": reply.content}
        if reasoning := reply.reasoning or ("thinking about it" if self.settings.reasoning != "none" else ""):
            if self.settings.reasoning == "think":
                message["content"] = f"<think>\n{reasoning}\n</think>\n\n{reply.content}"
            else:
                message["reasoning_content"] = reasoning
        prompt = 0
        for part in messages:
            prompt += len(part["content"] or "")
        spent = (prompt // 4 + 4 * len(messages), tokens or len(reply.content) // 4 + 1)
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
        if body.get("logprobs"):
            choice["logprobs"] = {"content": [{"token": w, "logprob": -_share(w)} for w in reply.content.split()[:64]]}
        return _envelope("chat.completion", key, body, choice, spent), spent

    def _completion(
        self, key: str, body: dict[str, Any], fault: str | None, tokens: int | None
    ) -> tuple[dict[str, Any], tuple[int, int]]:
        prompt = body["prompt"]
        text = ""
        reply = responders.Reply("")
        if body.get("max_tokens") != 0:
            reply = self._reply(key, body, [{"role": "user", "content": prompt}], fault)
            text = reply.content
        choice: dict[str, Any] = {"index": 0, "text": text, "finish_reason": reply.finish_reason}
        pieces = prompt.split()
        if body.get("echo"):
            choice["text"] = prompt + text
            if body.get("logprobs") is not None:
                shown = pieces + text.split()
                scores = [None, *(-5 * _share(f"{a} {b}") for a, b in itertools.pairwise(shown))]
                choice["logprobs"] = {"tokens": shown, "token_logprobs": scores[: len(shown)]}
        if body.get("prompt_logprobs") is not None:
            after = [
                {str(at): {"logprob": -5 * _share(f"{a} {b}"), "rank": 1, "decoded_token": b}}
                for at, (a, b) in enumerate(itertools.pairwise(pieces))
            ]
            choice["prompt_logprobs"] = [None, *after]
        spent = (len(pieces), tokens or len(text) // 4 + 1)
        return _envelope("text_completion", key, body, choice, spent), spent

    def _embeddings(self, body: dict[str, Any]) -> tuple[dict[str, Any], tuple[int, int]]:
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        data = []
        for index, text in enumerate(texts):
            rng = Random(f"embed {body['model']} {text}")
            vector = [rng.gauss(0, 1) for _ in range(self.settings.dimensions)]
            size = sum(x * x for x in vector) ** 0.5
            data.append({"object": "embedding", "index": index, "embedding": [x / size for x in vector]})
        spent = (sum(len(t) for t in texts) // 4 + 1, 0)
        usage = {"prompt_tokens": spent[0], "total_tokens": spent[0]}
        return {"object": "list", "model": body["model"], "data": data, "usage": usage}, spent

    def _tokens(self, body: dict[str, Any]) -> tuple[dict[str, Any], tuple[int, int]]:
        """One token for every three bytes, as no real tokenizer counts: what is asked of it shows."""
        count = -(-len(body["prompt"].encode("utf-8", "replace")) // 3)
        return {"count": count, "max_model_len": self.settings.max_context, "tokens": [0] * count}, (0, 0)

    # -- admin -------------------------------------------------------------------------------------------------

    def _admin(self, request: Request, what: str) -> None:
        if what == "stats":
            stats = self.counts.stats()
            engine = self.batching
            stats["batching"] = {
                "steps": engine.steps,
                "busy_seconds": engine.busy_seconds,
                "mean_batch": engine.slot_steps / engine.steps if engine.steps else 0.0,
            }
            request.reply(orjson.dumps(stats))
        elif what == "keys":
            request.reply(orjson.dumps(self.counts.keys()))
        elif what == "reset":
            self.counts.reset()
            self.batching.steps = self.batching.slot_steps = 0
            self.batching.busy_seconds = 0.0
            request.reply(b"{}")
        elif what == "config":
            try:
                changed = orjson.loads(request.body) if request.body else {}
                self.configure(Settings.model_validate({**self.settings.model_dump(), **changed}))
            except (ValidationError, ValueError, TypeError) as error:
                _error(request, 400, str(error))
            else:
                request.reply(orjson.dumps(self.settings.model_dump()))
        else:
            request.reply(b'{"detail":"Not Found"}', 404)


_UNUSED = Random(0)


def _share(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big") / (1 << 56)


def _envelope(
    kind: str, key: str, body: dict[str, Any], choice: dict[str, Any], spent: tuple[int, int]
) -> dict[str, Any]:
    usage = {"prompt_tokens": spent[0], "completion_tokens": spent[1], "total_tokens": spent[0] + spent[1]}
    return {"id": key, "object": kind, "created": 0, "model": body["model"], "choices": [choice], "usage": usage}


def _error(request: Request, status: int, message: str, headers: str = "") -> None:
    kinds = {401: "AuthenticationError", 404: "NotFoundError", 429: "RateLimitError"}
    error = {"message": message, "type": kinds.get(status, "BadRequestError"), "param": None, "code": status}
    request.reply(orjson.dumps({"error": error}), status, headers)


# -- the process ---------------------------------------------------------------------------------------------------


async def serve(settings: Settings, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
    """Serves until SIGTERM or SIGINT; prints the port first."""
    loop = asyncio.get_running_loop()
    stand_in = StandIn(settings, loop)
    server = await loop.create_server(
        lambda: wire.Connection(stand_in.handle, stand_in.counts.opened), host, port, ssl=tls
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stop.wait()
    server.close()


def main(arguments: list[str] | None = None) -> None:
    """The command line of the stand-in server."""
    import argparse
    import gc

    import uvloop

    parser = argparse.ArgumentParser(prog="python -m attar.testing.server", description=__doc__.split("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--print-port", action="store_true", help="kept for scripts: the port is always printed first")
    parser.add_argument("--settings", default="{}", help="settings as JSON (attar.testing.settings.Settings)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one setting; JSON or text")
    parser.add_argument("--tls", metavar="FILE", help="serve HTTPS with the key and certificate in this PEM file")
    parser.add_argument("--die-with-parent", action="store_true", help="end when the starting process ends")
    options = parser.parse_args(arguments)
    if options.die_with_parent and sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    values = orjson.loads(options.settings)
    for pair in options.set:
        name, _, value = pair.partition("=")
        try:
            values[name] = orjson.loads(value)
        except orjson.JSONDecodeError:
            values[name] = value
    try:
        settings = Settings.model_validate(values)
        for spec in (settings.responder, *settings.responders.values(), *settings.markers.values()):
            responders.find(spec)
    except ValueError as error:
        parser.error(str(error))
    gc.freeze()
    tls = None
    if options.tls:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.tls)
    uvloop.run(serve(settings, options.host, options.port, tls))


if __name__ == "__main__":
    main()
