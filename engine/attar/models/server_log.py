"""What a server that could not start said, and what to do about it."""

from __future__ import annotations

import re
from pathlib import Path

from attar.errors import AttarError, fail

# vLLM puts "(APIServer pid=12) ERROR 11-21 09:22:22 [core.py:1]" or "(EngineCore pid=3)" before its lines.
_PREFIX = re.compile(r"^(\([^()]*pid=\d+\)\s*)?((ERROR|INFO|WARNING|CRITICAL) [\d:. -]+(\[[^\]]*\])?\s*)?")
# "Value error, …" is pydantic's own line below "ValidationError: 1 validation error for ModelConfig".
_FAULT = re.compile(r"^([\w. -]*: error: |[\w.]*(Error|Exception)\b.*: |\s*Value error, )")
_CONSEQUENCE = re.compile(r"Engine core initialization failed|See root cause above|cancelled|EngineDeadError")

# What vLLM says → what to do; the first that matches the log's end wins. {model}, {name} are filled in.
_HELP: list[tuple[str, str, int]] = [
    (
        r"unrecognized arguments|invalid choice|expected one argument|argument --|Extra inputs are not permitted",
        "change `serve:` of model `{name}`; `vllm serve --help=all` lists the flags this version knows",
        2,
    ),
    (
        r"out of memory|No available memory for the cache blocks|Free memory on device|less than desired GPU memory"
        r"|larger than the available KV cache memory|max seq len.*KV cache",
        "lower `max_model_len` or `gpu_memory_utilization` in `serve:` of model `{name}`, end what else uses the GPU,"
        " serve a smaller or quantised model, or spread it with `tensor_parallel_size`",
        1,
    ),
    (
        r"is greater than the derived max_model_len",
        "set `max_model_len` in `serve:` of model `{name}` (or `max_context`) to what the model allows",
        2,
    ),
    (
        r"gated repo|401 Client Error|403 Client Error|Access to model",
        "accept the model's licence on the hub and set HF_TOKEN in the environment",
        1,
    ),
    (
        r"Failed to infer device type|No CUDA GPUs|libcuda|NVIDIA driver",
        "there is no GPU that vLLM can use here: try `--backend endpoint` or `--backend rehearsal`, or install a vLLM"
        " built for this machine's CPU",
        1,
    ),
    (
        r"not a valid model identifier|Repository Not Found|not a local folder|LocalEntryNotFound|OfflineMode"
        r"|Can't load the configuration|does not appear to have a file named config.json|couldn't connect to",
        "check `model: {model}`: it must be a repository on the hub that this machine can reach (or has in its cache,"
        " with HF_HUB_OFFLINE=1), or a folder with config.json and weights",
        1,
    ),
    (r"World size .* is larger than|number of (required )?GPUs", "ask for fewer GPUs: `tensor_parallel_size`", 2),
    (r"address already in use", "run it again: another program took the port", 1),
]


def explain(name: str, model: str, log: Path, what: str) -> AttarError:
    """The error for a server that did not come up.

    Args:
        name: the model's name in the recipe.
        model: the repository or folder.
        log: its log file.
        what: how the process ended.
    """
    try:
        text = log.read_bytes()[-200_000:].decode("utf-8", "replace")
    except OSError:
        text = ""
    # The log is appended to at a restart; only the last start matters.
    lines = [_PREFIX.sub("", line).rstrip() for line in text.rpartition("\n$ ")[2].splitlines()[1:]]
    lines = [line for line in lines if line]
    faults = [line for line in lines if _FAULT.match(line)]
    causes = [line for line in faults if not _CONSEQUENCE.search(line)] or faults
    said = causes[-1].strip() if causes else " / ".join(lines[-3:]) or what
    help, code = "read the log; its last lines are above", 1
    for pattern, advice, exit_code in _HELP:
        if re.search(pattern, said, re.IGNORECASE) or (not causes and re.search(pattern, text, re.IGNORECASE)):
            help, code = advice.format(name=name, model=model), exit_code
            break
    tail = "\n".join(f"    {line[:300]}" for line in lines[-8:])
    return fail(
        "E621",
        f"vLLM for model {name!r} did not start: {said[:500]}" + (f"\n  last lines of {log}:\n{tail}" if tail else ""),
        help=help,
        exit_code=code,
    )
