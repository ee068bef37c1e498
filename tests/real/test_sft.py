"""TRL's SFTTrainer takes two steps on what attar exports, with tiny random models. Run with `make test-real`."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore"),  # torch's and TRL's own
    pytest.mark.skipif(
        not os.environ.get("ATTAR_REAL") and importlib.util.find_spec("trl") is None,
        reason="TRL is not installed here; `make test-real` brings its own environment",
    ),
]

RECIPE = Path(__file__).parents[2] / "recipes" / "export_chat.yaml"
THOUGHT = "tanggal 20 berarti terlambat"  # of a thought in the training split, in no content
# As reasoning models' templates do: a kept thought is written out before the answer.
LLAMA = (
    "{{ bos_token }}{% for m in messages %}<|turn|>{{ m['role'] }}\n"
    "{% if m.get('reasoning_content') %}<think>{{ m['reasoning_content'] }}</think>{% endif %}"
    "{{ m['content'] }}</s>\n{% endfor %}{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)
# As Gemma's: no system role, and the model is called model.
GEMMA = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate user/assistant') }}{% endif %}"
    "<|turn|>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>model\n{% endif %}"
)


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "llama"
    maker = Path(__file__).with_name("make_model.py")
    subprocess.run([sys.executable, str(maker), str(folder)], check=True, capture_output=True)
    with_template(folder, LLAMA, folder)
    return folder


@pytest.fixture(scope="session")
def gemma(llama: Path) -> Path:
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    folder = llama.with_name("gemma")
    tokenizer = with_template(llama, GEMMA, folder)
    torch.manual_seed(11)
    config = Gemma3TextConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        sliding_window=64,
        max_position_embeddings=4096,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    Gemma3ForCausalLM(config).save_pretrained(folder)
    return folder


def with_template(source: Path, template: str, target: Path) -> Any:
    """The tokenizer of a folder, saved with another chat template."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(target)
    return tokenizer


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], Path]:
    """Folders of runs of the shipped recipe, by thought policy and whether the system text was folded."""
    made = {}
    for thoughts, fold in (("keep", False), ("strip", False), ("tagged", False), ("tagged", True)):
        runs = tmp_path_factory.mktemp("runs")
        attar = Path(sys.executable).with_name("attar")
        words = ["run", str(RECIPE), "--runs", str(runs), "-p", f"thoughts={thoughts}"]
        words += ["-p", f"fold_system={str(fold).lower()}"]
        done = subprocess.run([attar, *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        (results,) = runs.glob("*/*/results.json")
        made[thoughts, fold] = results.parent
    return made


@pytest.mark.parametrize("layout", ["trl_chat", "trl_prompt_completion"])
@pytest.mark.parametrize(
    ("shape", "thoughts"), [("llama", "keep"), ("llama", "strip"), ("llama", "tagged"), ("gemma", "tagged")]
)
def test_sft_takes_two_steps(
    shape: str,
    thoughts: str,
    layout: str,
    exports: dict[tuple[str, bool], Path],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    import torch
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    folder = request.getfixturevalue(shape)
    export = exports[thoughts, shape == "gemma"] / layout
    data = load_dataset(str(export), cache_dir=str(tmp_path / "cache"))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    before = {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
    tokenizer = AutoTokenizer.from_pretrained(folder)
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        args=SFTConfig(
            output_dir=str(tmp_path / "out"),
            max_steps=2,
            per_device_train_batch_size=2,
            learning_rate=1e-3,
            logging_steps=1,
            max_length=2048,
            use_cpu=True,
            bf16=False,
            report_to="none",
            save_strategy="no",
            eval_strategy="steps",
            eval_steps=2,
        ),
        train_dataset=data["train"],
        eval_dataset=data["validation"],
    )
    trainer.train()

    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert trainer.state.global_step == 2
    assert len(losses) == 2 and all(math.isfinite(loss) and loss > 0 for loss in losses)
    assert [math.isfinite(e["eval_loss"]) for e in trainer.state.log_history if "eval_loss" in e] == [True]
    assert any(not torch.equal(tensor, before[name]) for name, tensor in model.named_parameters())

    lines = [json.loads(line) for file in (export / "data").glob("train-*") for line in file.read_text().splitlines()]
    assert len(trainer.train_dataset) == len(lines)
    texts = [tokenizer.decode(ids) for ids in trainer.train_dataset["input_ids"]]
    assert any(THOUGHT in text for text in texts) == (thoughts != "strip")
    assert any("<think>" in text for text in texts) == (thoughts != "strip")
    assert any("Rp 4.250.000. Karena terlambat 5 hari" in text for text in texts)  # what the answer says
    assert all("You answer questions about the university" in text for text in texts)
    if layout == "trl_prompt_completion":
        for line, labels in zip(lines, trainer.train_dataset["labels"], strict=True):
            learnt = tokenizer.decode([one for one in labels if one >= 0])
            assert line["completion"][0]["content"] in learnt
            assert line["prompt"][-1]["content"] not in learnt
