"""The conversation schema of the teacher–student recipe, enforced by a real vLLM on the CPU. Run with `make test-real`.

A random model cannot pass the checks of what a conversation says (grounding, turns, refusals); what it shows is that
the format holds whatever the model would rather say: every answer is JSON of the schema, at the first ask.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from attar.store.journal import records

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(900),
    # ATTAR_REAL is set by run.sh: there, a missing vLLM is a failure and not a reason to skip.
    pytest.mark.skipif(
        not os.environ.get("ATTAR_REAL") and importlib.util.find_spec("vllm") is None,
        reason="vLLM is not installed here; `make test-real` brings its own environment",
    ),
]

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "teacher_student_rag.yaml"
PROMPT = ROOT / "prompts" / "rag" / "conversation.md"
SLOTS = 20
# Short chunks: the random model's tokenizer spends a token on nearly every byte, and its window is 4,096 tokens.
PARAMS: dict[str, Any] = {
    "documents": str(ROOT / "recipes" / "data" / "handbook"),
    "conversations": SLOTS,
    "candidates": 1,
    "min_tokens": 16,
    "max_tokens": 48,
    "top_k": 2,
}
# From the corpus to the conversation. What asks and proves a trap's question stands between, and none is drawn here.
FIRST = ("documents", "chunks", "slots", "order", "drawn")
# As in test_vllm.py: chunked prefill with seeds kills a CPU engine; xgrammar lets raw control characters into bounded
# strings, and free whitespace fills max_tokens.
TINY: dict[str, Any] = {
    "backend": "vllm",
    "serve": {
        "dtype": "bfloat16",
        "max_model_len": 4096,
        "enforce_eager": True,
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": 8192,
        "structured_outputs_config": '{"backend": "guidance", "disable_any_whitespace": true}',
    },
    "sampling": {"temperature": 1, "max_tokens": 1024},
    "in_flight": 8,
}


def shipped_schema() -> dict[str, Any]:
    schema: dict[str, Any] = yaml.safe_load(PROMPT.read_text(encoding="utf-8").split("---\n")[1])["output"]
    return schema


def bounded(shipped: dict[str, Any]) -> dict[str, Any]:
    """The shipped schema, narrowed to what a random model can end: it closes no string and no list by itself.

    Properties and their order stay. Thoughts, which the shipped schema leaves out of what is required because users
    have none, are required of every turn, so that none of the model's can be without.
    """
    schema = copy.deepcopy(shipped)
    messages = schema["properties"]["messages"]
    messages |= {"minItems": 2, "maxItems": 4}
    turn = messages["items"]
    turn["properties"]["thought"] |= {"minLength": 1, "maxLength": 24}
    turn["properties"]["content"] |= {"minLength": 1, "maxLength": 24}
    turn["required"] = list(turn["properties"])
    return schema


def real_steps(output: Path) -> dict[str, Any]:
    """The recipe's own steps up to the conversation, for the technique that needs no question first; no judges."""
    loaded = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    steps = {name: loaded["steps"][name] for name in FIRST}
    axes = steps["slots"]["with"]["axes"]
    axes["technique"] = {"implicit_cot": axes["technique"]["implicit_cot"]}
    unasked = {"columns": {"question": "none"}, "types": {"question": "string?"}}
    steps["asked"] = {"use": "std.derive", "from": "drawn", "with": unasked}
    written = loaded["steps"]["written"]
    assert (ROOT / "recipes" / written["prompt"]).resolve() == PROMPT
    steps["written"] = written | {"from": "asked", "prompt": str(PROMPT), "output": str(output)}
    return steps


def write_recipe(folder: Path, model: Path) -> Path:
    schema = folder / "bounded.json"
    schema.write_text(json.dumps(bounded(shipped_schema())))
    loaded = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    steps = real_steps(schema)
    used = re.findall(r"\$\{params\.(\w+)\}", json.dumps(steps))
    recipe: dict[str, Any] = {
        "attar": 1,
        "name": "conversations",
        "seed": loaded["seed"],
        "params": {name: loaded["params"][name] for name in dict.fromkeys(used)},
        "models": {"teacher": {"model": str(model), **TINY}},
        "steps": steps,
        "outputs": {"dataset": {"from": "written", "format": "jsonl", "min_rows": SLOTS}},
    }
    for name, value in PARAMS.items():
        recipe["params"][name]["default"] = value
    file = folder / "conversations.yaml"
    file.write_text(yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return file


def test_every_conversation_of_twenty_slots_is_valid_at_the_first_ask(tmp_path: Path, model: Path) -> None:
    recipe = write_recipe(tmp_path, model)
    attar = Path(sys.executable).with_name("attar")
    done = subprocess.run(
        [attar, "run", str(recipe), "--json", "--runs", str(tmp_path / "runs")],
        capture_output=True,
        text=True,
        timeout=840,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (tmp_path / "runs").glob("*/*/results.json")
    results = json.loads(path.read_text())
    (usage,) = results["usage"].values()
    assert usage["requests"] == SLOTS
    assert usage["format_retries"] == 0

    # What the server said, word for word, before anything was parsed or mended.
    (journal,) = (folder for folder in tmp_path.rglob("journal") if folder.is_dir())
    values = [record.value for record in records(journal) if record.kind == "chat"]
    assert len(values) == SLOTS
    schema, order = shipped_schema(), ["role", "thought", "content"]
    assert list(schema["properties"]["messages"]["items"]["properties"]) == order
    said, of_model, thought_first = [], 0, 0
    for value in values:
        assert value["finish"] == "stop", value
        answer = json.loads(value["text"])
        jsonschema.validate(answer, schema)
        for turn in answer["messages"]:  # json.loads keeps the order of the text
            if turn["role"] == "model":
                of_model += 1
                keys = list(turn)
                thought_first += keys.index("thought") < keys.index("content")
        said.append(answer["messages"])
    assert thought_first == of_model > 0
    assert len({json.dumps(messages) for messages in said}) == SLOTS  # the model's own words, each time others

    dataset = path.parent / results["outputs"]["dataset"]["path"]
    rows = [json.loads(line) for part in sorted(dataset.glob("part-*")) for line in part.read_text().splitlines()]
    assert len(rows) == SLOTS
    assert sorted(json.dumps(row["messages"]) for row in rows) == sorted(json.dumps(messages) for messages in said)
    assert all(len(row["contexts"]) == PARAMS["top_k"] for row in rows)
    print(f"{len(rows)} of {SLOTS} valid; thought before content in {thought_first} of {of_model} turns; usage {usage}")
