"""A model's own tokenizer where the model is a folder on this machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=8)
def local_counter(model: str) -> Callable[[str], int] | None:
    """Counts tokens by the tokenizer.json of a model's folder, special ones left out; None where there is none, or the
    library `tokenizers` is not installed."""
    file = Path(model) / "tokenizer.json"
    if not file.is_file():
        return None
    try:
        from tokenizers import Tokenizer
    except ImportError:
        return None
    opened = Tokenizer.from_file(str(file))
    opened.no_truncation()
    opened.no_padding()

    def count(text: str) -> int:
        whole = text.encode("utf-8", "replace").decode()  # a lone surrogate is no text to a tokenizer
        return len(opened.encode(whole, add_special_tokens=False))

    return count
