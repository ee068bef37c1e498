"""PDF: the text of its pages by pypdf (extra `documents`), without running heads, feet and page numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import regex

from attar.api import Reject

from .formats import Found, Options

_NUMBER = regex.compile(r"\p{Nd}+")
_PAGE = regex.compile(r"\W*(?:(?:page|halaman|hal\.|पृष्ठ|பக்கம்)\s*)?\p{Nd}+(?:\s*(?:/|of|dari)\s*\p{Nd}+)?\W*", regex.I)
_ENDED = regex.compile(r"[.!?।॥۔:][\"'”’»)\]]*$")
_EDGE = 2  # lines at a page's top and bottom among which furniture is looked for


def read(path: Path, options: Options) -> Iterator[Found | Reject]:
    """The file as one document. Scanned pages hold no text: their document is empty."""
    import pypdf
    from pypdf.errors import PyPdfError

    try:
        file = pypdf.PdfReader(path)
        if file.is_encrypted and not file.decrypt(""):
            yield Reject("encrypted", "the file asks for a password")
            return
        pages = [page.extract_text().splitlines() for page in file.pages]
        title = file.metadata.title if file.metadata is not None else None
    except (
        PyPdfError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        RecursionError,
    ) as error:  # torn files raise them all
        yield Reject("torn", f"no whole PDF: {error}")
        return
    lines = [line for page in without_furniture(pages) for line in page]
    yield Found("\n".join(paragraphs(lines)), title or None, wrapped=True)


def without_furniture(pages: Sequence[Sequence[str]]) -> list[list[str]]:
    """Pages without the lines at top and bottom that repeat (but for their numbers) on half of them, three at least,
    and without bare page numbers there."""
    kept = [[line for line in page if line.strip()] for page in pages]
    seen = Counter(
        shape for page in kept for shape in {_shape(line) for line in (*page[:_EDGE], *page[-_EDGE:])} if shape
    )
    often = {shape for shape, count in seen.items() if count >= max(3, len(pages) / 2)}

    def furniture(line: str) -> bool:
        return _shape(line) in often or _PAGE.fullmatch(line.strip()) is not None

    for page in kept:  # from the outside in: what stands behind a line of text is text
        for place in (0, -1):
            for _ in range(_EDGE):
                if page and furniture(page[place]):
                    del page[place]
    return kept


def paragraphs(lines: Sequence[str]) -> Iterator[str]:
    """The lines with an empty one after each that ends a sentence and is short: the last of its paragraph."""
    width = median(len(line) for line in lines) if lines else 0
    for line in lines:
        yield line
        if len(line) < 0.85 * width and _ENDED.search(line.rstrip()):
            yield ""


def _shape(line: str) -> str:
    shape: str = _NUMBER.sub("0", " ".join(line.split()).casefold())
    return shape
