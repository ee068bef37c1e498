"""HTML: the main text of a page as Markdown, without its navigation, by trafilatura (extra `documents`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import regex

from attar.api import Reject

from .formats import Found, Options, decoded

_CHARSET = regex.compile(rb"<meta[^>]+charset=[\"']?\s*([A-Za-z0-9_:.-]+)", regex.IGNORECASE)


def read(path: Path, options: Options) -> Iterator[Found | Reject]:
    """The page; its own `<meta charset>` goes before the recipe's encoding."""
    import trafilatura

    data = path.read_bytes()
    named = _CHARSET.search(data[:2048])
    try:
        text = decoded(data, named[1].decode("ascii") if named else options.encoding)
    except LookupError:
        text = decoded(data, options.encoding)
    if isinstance(text, Reject):
        yield text
        return
    if not text.strip():
        yield Found("")
        return
    body = trafilatura.extract(
        text, output_format="markdown", include_tables=True, include_comments=False, include_links=False
    )
    about = trafilatura.extract_metadata(text)
    yield Found(body or "", about.title if about is not None else None)
