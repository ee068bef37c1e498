"""One vLLM server, owned by the run: datatrove's class with the parts replaced that would leave a server behind.

What differs from datatrove's own (its behaviour as of 0.10.1 in brackets): the server is in a session of its own and
known to the guard before it runs [kill -9 of the owner leaves it alive]; its output goes to a file by itself [through
this process, line by line]; the lock around compiling is waited for without blocking [two servers of one config
deadlock]; each server gets its own devices [all inherit the same]; code from a model's repository is not trusted
unless `serve:` says so [always]; it is stopped with all its children [the parent alone].
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib.metadata
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from datatrove.pipeline.inference.run_inference import InferenceConfig
from datatrove.pipeline.inference.servers import VLLMServer
from datatrove.pipeline.inference.servers.compile_lock import CompileLockManager
from datatrove.pipeline.inference.types import ServerError
from loguru import logger

from attar.errors import AttarError, fail
from attar.identity import H
from attar.models.guard import Guard, end_group
from attar.models.server_log import explain

# Its messages ("Attempt 3: Please wait…") would break into the display; ours go through on_event.
logger.disable("datatrove.pipeline.inference")

HOST = "127.0.0.1"
# The shell holds the server back until the guard knows its group; if this process dies before, `read` fails.
_HELD_BACK = 'read -r go || exit 1; exec "$@" </dev/null'

# Switches that a run always wants; what the user's environment says comes first.
_ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    # By default idle connections are cut after 5 s, just as the client sends its next request on one.
    "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "600",
    "USE_TF": "0",  # transformers would import TensorFlow where it is installed
    "TRANSFORMERS_NO_TF": "1",
    "PYTHONUNBUFFERED": "1",  # the log's last lines must be there when it dies
}


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """What a vLLM server is started with.

    Attributes:
        name: for messages and the log file: the recipe's first model that it serves.
        model: hub repository or folder; also the name it answers to.
        serve: flags of `vllm serve`, with `_` or `-`; true → `--flag`, false → `--no-flag`, null → left out. `devices`
            ("0,1") is no flag: it sets CUDA_VISIBLE_DEVICES for this server.
        devices: what CUDA_VISIBLE_DEVICES is set to; None leaves it as it is.
    """

    name: str
    model: str
    revision: str | None
    serve: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    max_context: int | None = None
    devices: str | None = None

    def flags(self) -> dict[str, str | int | float | bool | None]:
        """Flags in vLLM's spelling, those from `serve:` winning."""
        flags: dict[str, str | int | float | bool | None] = {"served-model-name": self.model}
        if self.revision:
            flags["revision"] = self.revision
        if self.max_context:
            flags["max-model-len"] = self.max_context
        for key, value in self.serve.items():
            if key != "devices":
                flags[key.removeprefix("--").replace("_", "-")] = value
        return flags

    def command(self, vllm: str, port: int) -> list[str]:
        """The command line. `--flag=value` in one word, so that a value may begin with a dash."""
        line = [vllm, "serve", self.model, f"--host={HOST}", f"--port={port}", "--disable-uvicorn-access-log"]
        for key, value in self.flags().items():
            if value is True:
                line.append(f"--{key}")
            elif value is False:
                line.append(f"--no-{key}")
            elif value is not None:
                line.append(f"--{key}={value}")
        return line


def find_vllm() -> str:
    """The `vllm` command of this Python's environment (which need not be activated), else that on PATH."""
    beside = Path(sys.executable).with_name("vllm")
    found = str(beside) if beside.exists() else shutil.which("vllm")
    if found is None:
        raise fail(
            "E620",
            "backend vllm needs vLLM, which is not installed in this environment",
            help="install it with `pip install 'attar[vllm]'`, or use `--backend endpoint` or `--backend rehearsal`",
        )
    return found


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
        return port


class OwnedServer(VLLMServer):  # type: ignore[misc]  # datatrove is untyped
    """A vLLM server of this run. Use `start()` and `stop()`; build it inside a running event loop."""

    _port: int
    _server_process: asyncio.subprocess.Process | None
    _server_monitoring_task: asyncio.Task[None] | None
    _server_ready: asyncio.Future[bool]

    def __init__(self, spec: ServerSpec, log: Path, guard: Guard, say: Callable[[str], None]) -> None:
        self.spec = spec
        self.log = log
        self._guard = guard
        self._say = say
        self._command = find_vllm()
        self._wanted_port: int | None = None
        self._held_lock: int | None = None
        self._lock: CompileLockManager | None = None
        config = InferenceConfig(
            server_type="vllm",
            model_name_or_path=spec.model,
            model_kwargs=dict(spec.serve),
            # start_server waits for the compile lock and the model loads for as long as they need; what ends the
            # wait is the process's end or the user.
            server_start_timeout_sec=24 * 3600,
            server_start_max_retries=0,
        )
        try:
            super().__init__(config, rank=0)
        except ImportError as error:
            raise fail("E620", str(error), help="install it with `pip install 'attar[vllm]'`") from None

    @property
    def base_url(self) -> str:
        """Its address, without `/v1`."""
        return f"http://{HOST}:{self._port}"

    def get_base_url(self) -> str:
        return self.base_url

    async def start(self) -> None:
        """Starts the server and returns when it answers. Raises AttarError with what vLLM said when it cannot."""
        await self._start(None)

    async def restart(self) -> None:
        """Starts it again at the address it had, after its end."""
        await self.server_cleanup()
        await self._start(self._port)

    async def _start(self, port: int | None) -> None:
        self._wanted_port = port
        for last in (False, False, True):
            self._reset()
            await self.bg_start_server()
            error = self._server_ready.exception()
            if error is None:
                return
            await self.server_cleanup()
            if not last and "address already in use" in self.log_tail().lower():
                continue  # somebody took the port between our look and its bind
            raise explain(self.spec.name, self.spec.model, self.log, str(error))

    async def stop(self) -> None:
        """Ends the server with all its children."""
        await self.server_cleanup()

    async def ended(self) -> int:
        """Waits until the server's process ends; its exit code."""
        process = self._server_process
        assert process is not None
        code: int = await process.wait()
        return code

    def log_tail(self, size: int = 65536) -> str:
        """The end of its log."""
        try:
            with self.log.open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - size))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""

    # What datatrove's start-up calls.

    async def start_server(self) -> asyncio.subprocess.Process:
        await self._take_compile_lock()
        self._port = self._wanted_port or free_port()
        return await self._start_vllm_task()

    async def _start_vllm_task(self) -> asyncio.subprocess.Process:
        environment = {**_ENVIRONMENT, **os.environ}
        if self.spec.devices is not None:
            environment["CUDA_VISIBLE_DEVICES"] = self.spec.devices
        line = self.spec.command(self._command, self._port)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as out:
            out.write(f"\n$ {json.dumps(line, ensure_ascii=False)}\n".encode())
            out.flush()
            process = await asyncio.create_subprocess_exec(
                "/bin/sh",
                "-c",
                _HELD_BACK,
                "sh",
                *line,
                stdin=asyncio.subprocess.PIPE,
                stdout=out,
                stderr=asyncio.subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        self._server_process = process  # at once: a cancelled start must find it in server_cleanup
        self._guard.add(process.pid)
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.close()
        return process

    async def monitor_health(self) -> None:
        await self.ended()

    async def is_ready(self) -> bool:
        """Whether it answers. Written on the socket: an HTTP library for one GET a second is not worth its import."""
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(HOST, self._port), 5)
        except (OSError, TimeoutError):
            return False
        try:
            writer.write(f"GET /health HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
            status = await asyncio.wait_for(reader.readline(), 5)
            return b" 200 " in status
        except (OSError, TimeoutError):
            return False
        finally:
            writer.close()

    async def _wait_until_ready(self, max_attempts: int = 0, delay_sec: float = 0.0) -> None:
        began = said = time.monotonic()
        process = self._server_process
        assert process is not None
        while process.returncode is None:
            if await self.is_ready():
                self._release_compile_lock(done=True)
                return
            await asyncio.sleep(0.25)
            if time.monotonic() - said > 15:
                said = time.monotonic()
                self._say(f"vLLM for {self.spec.name} is loading ({said - began:.0f} s)")
        raise ServerError(f"it ended with code {process.returncode}")

    async def server_cleanup(self) -> None:
        if self._server_monitoring_task is not None:
            self._server_monitoring_task.cancel()
            await asyncio.gather(self._server_monitoring_task, return_exceptions=True)
            self._server_monitoring_task = None
        process, self._server_process = self._server_process, None
        if process is not None:
            # Also where the process itself has ended: its children may not have.
            await asyncio.to_thread(end_group, process.pid)
            await process.wait()
            self._guard.remove(process.pid)
        self._release_compile_lock(done=False)

    def _reset(self) -> None:
        self._server_ready = asyncio.get_running_loop().create_future()

    # datatrove's lock keeps jobs of one config from compiling into one cache at once. Its flock blocks the event
    # loop, and computing its key imports vllm; so the lock file is its own, taken here.

    async def _take_compile_lock(self) -> None:
        if self.spec.flags().get("enforce-eager") is True:
            return
        version = importlib.metadata.version("vllm")
        self._lock = CompileLockManager(H("vllm", version, self.spec.model, self.spec.flags())[:12])
        if self._lock.cache_exists():
            return
        try:
            self._lock.lock_path.parent.mkdir(parents=True, exist_ok=True)
            held = os.open(self._lock.lock_path, os.O_CREAT | os.O_RDWR)
        except OSError:
            return  # a home that cannot be written: nothing to share a cache with either
        self._held_lock = held
        said = False
        while not self._lock.cache_exists():
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if not said:
                    self._say(f"vLLM for {self.spec.name} waits while another process compiles the same model")
                    said = True
                await asyncio.sleep(0.5)
        self._release_compile_lock(done=False)

    def _release_compile_lock(self, done: bool) -> None:
        if self._held_lock is not None:
            assert self._lock is not None
            if done:
                self._lock.mark_complete()
            os.close(self._held_lock)
            self._held_lock = None


def as_attar_error(error: BaseException, name: str) -> AttarError:
    """Anything that went wrong in starting, as an error for the user."""
    if isinstance(error, AttarError):
        return error
    return fail("E621", f"vLLM for model {name!r} could not be started: {error}", exit_code=1)
