"""The model servers a run owns: started before its first request, shared by equal models, gone when it ends.

They run under an event loop in a thread of their own, so that a driver that is not asynchronous can use them, and so
that a server that dies is started again while the run goes on.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attar.identity import H
from attar.models.guard import Guard

if TYPE_CHECKING:
    from attar.models.calls import ServedModel
    from attar.models.vllm_server import OwnedServer, ServerSpec

OnEvent = Callable[[Mapping[str, Any]], None]
T = TypeVar("T")

RESTARTS = 3  # of one server in one run
_PARALLEL = ("tensor-parallel-size", "pipeline-parallel-size", "data-parallel-size")


@contextmanager
def start_servers(
    models: Mapping[str, ServedModel],
    *,
    folder: Path,
    guard: Guard,
    on_event: OnEvent,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[dict[str, ServedModel]]:
    """Starts a vLLM server for each different model of kind "vllm"; ends them on leaving.

    Models equal in model, revision and `serve` share one server. Servers with GPUs of their own start side by side,
    others one after another: each measures the free memory of its device as it starts.

    Args:
        models: all models of the run, by their name in the recipe; those of other kinds pass through.
        folder: where the servers' logs go.
        guard: ends the servers if this process is killed.
        on_event: gets `notice` events, from the servers' thread.
        stopping: asked while servers load, which can take minutes; true ends the wait.

    Yields:
        The models, `base_url` (ending in `/v1`) filled in.

    Raises:
        AttarError: a server did not start; holds what vLLM said and what to do.
        KeyboardInterrupt: `stopping` said so.
    """
    shared: dict[str, list[str]] = {}
    for name, model in sorted(models.items()):
        if model.kind == "vllm":
            shared.setdefault(_server_key(model), []).append(name)
    if not shared:
        yield dict(models)
        return

    from attar.models.vllm_server import ServerSpec

    specs = [
        ServerSpec(
            name=names[0],
            model=models[names[0]].model,
            revision=models[names[0]].spec.revision,
            serve=models[names[0]].spec.serve,
            max_context=max((models[name].spec.max_context or 0 for name in names), default=0) or None,
        )
        for names in shared.values()
    ]
    specs = assign_devices(specs, visible_devices())

    def say(text: str) -> None:
        on_event({"type": "notice", "text": text})

    thread = _LoopThread()
    fleet = _Fleet(folder, guard, say)
    try:
        urls = thread.run(fleet.start(specs), stopping)
        filled = dict(models)
        for names, url in zip(shared.values(), urls, strict=True):
            for name in names:
                filled[name] = replace(models[name], base_url=url)
        yield filled
    finally:
        thread.run(fleet.stop())
        thread.close()


def _server_key(model: ServedModel) -> str:
    return H("server", model.model, model.spec.revision, model.spec.serve)


def visible_devices() -> list[str]:
    """The GPUs a server started here would see, as CUDA_VISIBLE_DEVICES names them; asks no driver."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        found = [device.strip() for device in named.split(",") if device.strip()]
        return found[: found.index("-1")] if "-1" in found else found
    numbers = [
        int(match[1]) for path in Path("/dev").glob("nvidia*") if (match := re.fullmatch(r"nvidia(\d+)", path.name))
    ]
    return [str(i) for i in range(len(numbers))]


def devices_wanted(spec: ServerSpec) -> int:
    """How many GPUs a server takes."""
    flags, count = spec.flags(), 1
    for flag in _PARALLEL:
        value = flags.get(flag)
        count *= int(value) if isinstance(value, int | str) and str(value).isdigit() else 1
    return count


def assign_devices(specs: Sequence[ServerSpec], visible: Sequence[str]) -> list[ServerSpec]:
    """Gives each server GPUs of its own where there are enough for all; else leaves them to share.

    `devices` in `serve:` always wins, and what it names is given to no other server.
    """
    chosen = [replace(s, devices=str(s.serve["devices"])) if s.serve.get("devices") is not None else s for s in specs]
    taken = {device.strip() for s in chosen if s.devices is not None for device in s.devices.split(",")}
    free = [device for device in visible if device not in taken]
    open_ = [s for s in chosen if s.devices is None]
    if len(chosen) < 2 or sum(map(devices_wanted, open_)) > len(free):
        return chosen
    given: list[ServerSpec] = []
    for spec in chosen:
        if spec.devices is None:
            count = devices_wanted(spec)
            spec, free = replace(spec, devices=",".join(free[:count])), free[count:]
        given.append(spec)
    return given


@dataclass(slots=True)
class _Owned:
    server: OwnedServer
    keeper: asyncio.Task[None] | None = None


class _Fleet:
    """All servers of one run; its methods run in the servers' loop."""

    def __init__(self, folder: Path, guard: Guard, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._guard = guard
        self._say = say
        self._owned: list[_Owned] = []
        self._starting: asyncio.Task[list[str]] | None = None

    async def start(self, specs: Sequence[ServerSpec]) -> list[str]:
        """Starts all; their addresses, in order."""
        self._starting = asyncio.current_task()
        apart = all(spec.devices for spec in specs)
        if apart:
            return list(await asyncio.gather(*map(self._start, specs)))
        return [await self._start(spec) for spec in specs]

    async def _start(self, spec: ServerSpec) -> str:
        from attar.models.vllm_server import OwnedServer, as_attar_error

        log = self._folder / f"vllm-{re.sub(r'[^A-Za-z0-9_.-]', '_', spec.name)}.log"
        began = time.monotonic()
        on = f" on GPU {spec.devices}" if spec.devices else ""
        self._say(f"starting vLLM with {spec.model} for {spec.name}{on}; its log: {log}")
        try:
            owned = _Owned(OwnedServer(spec, log, self._guard, self._say))
            self._owned.append(owned)
            await owned.server.start()
        except Exception as error:
            raise as_attar_error(error, spec.name) from error
        self._say(f"vLLM for {spec.name} answers after {time.monotonic() - began:.0f} s")
        owned.keeper = asyncio.create_task(self._keep(owned))
        return owned.server.base_url + "/v1"

    async def _keep(self, owned: _Owned) -> None:
        """Starts a server again, at the same address, when it dies under the run."""
        server = owned.server
        for restart in range(RESTARTS + 1):
            code = await server.ended()
            said = next((line for line in reversed(server.log_tail(4096).splitlines()) if line.strip()), "")
            self._say(f"vLLM for {server.spec.name} ended by itself (code {code}): {said[:300]}")
            if restart == RESTARTS:
                break
            try:
                await server.restart()
            except Exception as error:
                self._say(str(error))
                break
            self._say(f"vLLM for {server.spec.name} was started again")
        self._say(f"vLLM for {server.spec.name} is given up; its log: {server.log}")

    async def stop(self) -> None:
        """Ends all, also those that are only starting."""
        if self._starting is not None and not self._starting.done():
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        keepers = [owned.keeper for owned in self._owned if owned.keeper is not None]
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        await asyncio.gather(*(owned.server.stop() for owned in self._owned))


class _LoopThread:
    """An event loop in a daemon thread, used from outside it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="attar-servers", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], stopping: Callable[[], bool] = lambda: False) -> T:
        """Runs to the end and returns the result. On KeyboardInterrupt the work goes on until it is cancelled."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        while not wait([future], timeout=0.2).done:
            if stopping():
                raise KeyboardInterrupt
        return future.result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
