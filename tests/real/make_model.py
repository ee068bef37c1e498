"""Makes a small random Llama with its tokenizer, from nothing but this file: `python make_model.py FOLDER`.

What it says is noise; it is there so that a real vLLM can be started, asked and stopped without a download. Run it in
the environment that has vLLM (it needs torch, transformers and tokenizers).
"""

from __future__ import annotations

import sys
from pathlib import Path

# Enough text for the tokenizer to learn some merges in two scripts; every byte is in its alphabet besides.
TEXT = [
    "Attar is made in Kannauj: petals in a copper still, sandalwood oil below, a slow fire and a long wait.",
    "कन्नौज में गुलाब और केवड़े का इत्र आज भी ताँबे के भपके में बनता है।",
    'Answer with JSON: {"city": "Kannauj", "reason": "roses", "score": 7}',
    "A recipe has a source of rows, some steps, a judge, and a dataset at its end.",
    "Who asks, what do they ask, and what would a careful teacher say to them?",
]
SPECIAL = ["<pad>", "<s>", "</s>", "<|turn|>"]
CHAT = (
    "{{ bos_token }}{% for m in messages %}<|turn|>{{ m['role'] }}\n{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)
CONTEXT = 4096


def make(folder: Path) -> None:
    """Writes config, weights, tokenizer and chat template, ready for `vllm serve FOLDER`."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.train_from_iterator(
        TEXT * 4,
        trainers.BpeTrainer(
            vocab_size=512,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", bos_token="<s>", eos_token="</s>", model_max_length=CONTEXT
    )
    tokenizer.chat_template = CHAT
    torch.manual_seed(11)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=CONTEXT,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    ).to(torch.bfloat16)
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
