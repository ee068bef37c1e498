"""DOCX: paragraphs, headings, lists and tables as Markdown, by python-docx (extra `documents`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zipfile import BadZipFile

import regex

from attar.api import Reject

from .formats import Found, Options

_HEADING = regex.compile(r"heading (\d)", regex.IGNORECASE)


def read(path: Path, options: Options) -> Iterator[Found | Reject]:
    """The file as one document."""
    import docx
    from docx.opc.exceptions import PackageNotFoundError
    from docx.table import Table

    try:
        file = docx.Document(str(path))
    except (PackageNotFoundError, BadZipFile, KeyError, ValueError) as error:
        yield Reject("torn", f"no whole DOCX: {error}")
        return
    blocks: list[str] = []
    for part in file.iter_inner_content():
        if isinstance(part, Table):
            rows = [[" ".join(cell.text.split()).replace("|", "\\|") for cell in row.cells] for row in part.rows]
            lines = [f"| {' | '.join(row)} |" for row in rows]
            if lines:
                lines.insert(1, "| --- " * len(rows[0]) + "|")
            blocks.append("\n".join(lines))
            continue
        text, style = part.text.strip(), (part.style.name or "") if part.style is not None else ""
        heading = _HEADING.match(style)
        if not text:
            continue
        if heading is not None or style == "Title":
            text = f"{'#' * (min(6, int(heading[1])) if heading else 1)} {' '.join(text.split())}"
        elif style.startswith("List"):
            text = f"- {text}"
            if blocks and blocks[-1].startswith("- "):
                blocks[-1] += f"\n{text}"
                continue
        blocks.append(text)
    yield Found("\n\n".join(blocks), file.core_properties.title or None)
