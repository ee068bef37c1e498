"""bespokelabs-curator: `python adapter_curator.py w1|w2 ROWS OUT IN_FLIGHT`, with BENCH_URL set.

One LLM object per step, run one after another over the whole dataset, as its own examples do. Its default rate limits
are lifted and its limit of concurrent requests is set to IN_FLIGHT.
"""

import importlib.util
import os
import re
import sys
from pathlib import Path

# It counts tokens with tiktoken, whose encoding is a download; litellm, which it depends on, ships the same file.
litellm = importlib.util.find_spec("litellm")
if litellm is not None and litellm.origin is not None:
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(Path(litellm.origin).parent / "litellm_core_utils" / "tokenizers"))
os.environ.update(TELEMETRY_ENABLED="false", OPENAI_API_KEY="none")
os.environ.setdefault("CURATOR_CACHE_DIR", str(Path(sys.argv[3]).parent / "cache"))

from bespokelabs import curator  # noqa: E402 (it reads the environment as it is imported)
from datasets import load_dataset  # noqa: E402
from prompts import STEPS  # noqa: E402

NO_LIMIT = 10**9


def asker(name: str, template: str, in_flight: int) -> curator.LLM:
    class Ask(curator.LLM):
        def prompt(self, input: dict) -> str:
            return re.sub(r"{{ (\w+) }}", lambda match: str(input[match[1]]), template)

        def parse(self, input: dict, response: str) -> dict:
            return {**input, name: response}

    return Ask(
        model_name="bench",
        backend="openai",
        generation_params={"temperature": 1.0, "max_tokens": 1024},
        backend_params={
            "base_url": os.environ["BENCH_URL"],
            "max_concurrent_requests": in_flight,
            "max_requests_per_minute": NO_LIMIT,
            "max_tokens_per_minute": NO_LIMIT,
        },
    )


def main(work: str, rows: Path, out: Path, in_flight: int) -> None:
    data = load_dataset("json", data_files=str(rows), split="train", cache_dir=str(out.parent / "datasets"))
    for name, template in STEPS[work].items():
        made = asker(name, template, in_flight)(data)
        data = getattr(made, "dataset", made)
    data.to_json(out)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
