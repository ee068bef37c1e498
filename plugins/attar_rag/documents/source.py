"""rag.documents: files of many formats as documents of one form."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Key, RecipePath, Reject, Source

from .formats import EXTRA_HELP, FORMATS, LIBRARIES, RECORDS, Found, Options, documents

_COLUMNS = {
    "doc_id": "string",
    "text": "string",
    "title": "string?",
    "source": "string",
    "category": "string?",
    "format": "string",
}


class DocumentsConfig(Config):
    """See Documents."""

    path: Annotated[str | list[str], RecipePath()] = Field(
        ..., description="a file, a folder (read with all below it), or a list of these"
    )
    encoding: str = Field("utf-8", description="how text files are encoded; HTML pages may say so themselves")
    text_column: str = Field("text", min_length=1, description="in .jsonl, .csv and .parquet: the document's text")
    id_column: str | None = Field(None, min_length=1, description="there: what names a document; default: its number")
    title_column: str | None = Field(None, min_length=1, description="there: its title")
    category_column: str | None = Field(None, min_length=1, description="there: its category")
    source: str | None = Field(
        None, min_length=1, description="label of the source; default: the folder's or file's name"
    )
    source_folders: bool = Field(
        False, description="a source is a folder below path: its name is the label of all below it"
    )
    categories: dict[str, str] = Field(
        default_factory=dict,
        description="file name pattern → category (`guides/*.md: guides`), the first that matches; "
        "else the folder a file lies in",
    )
    category_heading: str | None = Field(
        None,
        description="regular expression looked for in a document's first heading; its first group is the category",
    )
    category_id: str | None = Field(
        None, description="the same, looked for in `doc_id` where no heading tells (`#(\\w+)/` of `help.jsonl#calc/7`)"
    )
    drop_lines: list[str] = Field(
        default_factory=list, description="regular expressions; lines that one matches as a whole are left out"
    )
    unwrap: bool = Field(False, description="join lines that a page's width broke, and words hyphenated there (scans)")
    max_bytes: int = Field(64 * 1024 * 1024, ge=1, description="a larger document is rejected as too_large")


class _File(NamedTuple):
    path: Path
    name: str
    source: str
    format: str


class Documents(Source[DocumentsConfig]):
    """Reads Markdown, text, HTML, PDF, DOCX and subtitles (SRT, WebVTT), where a file is a document, and JSON lines,
    CSV and Parquet, where a record is one.

    Writes `doc_id` (path below the folder, and `#` with the record's id or number where a file holds many), `text`
    (form NFC, `\\n` at line ends, without control characters; headings stay Markdown `#` lines), `title` (its own, else
    the first heading), `source`, `category` and `format`. Files come in the order of their names. A document's key is
    its `doc_id`: moving the folder, or adding files to it, changes no row's id.

    What cannot be read is dead-lettered in its place: `encoding` (with line and byte), `invalid_json`, `invalid_csv`,
    `not_object`, `schema`, `missing_id`, `duplicate_id` (the first stays), `torn`, `encrypted`, `too_large`,
    `unreadable`. An empty document (a scan without its text, too) is read as such; `rag.chunk` rejects it as
    `empty_document`. Files of other formats are passed over, and named in the message where nothing else is there.
    """

    Config = DocumentsConfig

    def __init__(self, config: DocumentsConfig) -> None:
        super().__init__(config)
        self._found: list[_File] | None = None

    def inputs(self) -> Sequence[str]:
        return [str(file.path) for file in self._files()]

    def writes(self, incoming: Columns) -> Columns:
        self._files()
        return dict(_COLUMNS)

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        import codecs

        import regex

        config = self.config
        if config.source is not None and config.source_folders:
            yield ConfigProblem(("source_folders",), "source names one source, source_folders many", "keep one of them")
        try:
            codecs.lookup(config.encoding)
        except LookupError:
            yield ConfigProblem(("encoding",), f"unknown encoding {config.encoding!r}", "try utf-8")
        patterns: list[tuple[tuple[str | int, ...], str]] = [
            (("drop_lines", n), one) for n, one in enumerate(config.drop_lines)
        ]
        named = {"category_heading": config.category_heading, "category_id": config.category_id}
        patterns += [((name,), pattern) for name, pattern in named.items() if pattern is not None]
        for field, pattern in patterns:
            try:
                compiled = regex.compile(pattern)
            except regex.error as error:
                yield ConfigProblem(field, f"{pattern!r} is no regular expression: {error}", "mend it")
                continue
            if field[0] in named and not compiled.groups:
                yield ConfigProblem(field, f"{pattern!r} has no group", "put ( ) around what names the category")
        for format, library in LIBRARIES.items():
            if any(file.format == format for file in self._files()) and importlib.util.find_spec(library) is None:
                message = f"{format} is read by {library}, which is not installed"
                yield ConfigProblem(("path",), message, EXTRA_HELP, "E311")

    def count(self, ctx: Context) -> int | None:
        files = self._files()
        return None if any(file.format in RECORDS for file in files) else len(files)

    def rows(self, start: int, stop: int | None, ctx: Context) -> Iterator[tuple[Key, Mapping[str, Any] | Reject]]:
        files = self._files()
        if self.count(ctx) is not None:  # a file is a document: any slice without the rest
            for file in files[start:stop]:
                yield from self._of_file(file)
            return
        seen: set[str] = set()
        number = 0
        for file in files:
            for key, made in self._of_file(file):
                if stop is not None and number >= stop:
                    return
                if not isinstance(made, Reject):
                    if key in seen:
                        key, made = f"{file.name}#record-{number}", Reject("duplicate_id", f"{key} was there before")
                    else:
                        seen.add(str(key))
                if number >= start:
                    yield key, made
                number += 1

    def _of_file(self, file: _File) -> Iterator[tuple[Key, Mapping[str, Any] | Reject]]:
        config = self.config
        options = Options(
            config.encoding, config.text_column, config.id_column, config.title_column, config.category_column
        )
        whole = file.format not in RECORDS
        try:
            if whole and file.path.stat().st_size > config.max_bytes:
                yield file.name, Reject("too_large", f"{file.name} is larger than {config.max_bytes} bytes")
                return
            for number, found in enumerate(documents(file.format, file.path, options)):
                if isinstance(found, Reject):
                    key = file.name if whole else f"{file.name}#bad-{number}"
                    yield key, Reject(found.code, f"{file.name}: {found.detail}")
                elif len(found.text) > config.max_bytes:
                    yield f"{file.name}#bad-{number}", Reject("too_large", f"{file.name}: record {number}")
                else:
                    made = self._row(file, found)
                    yield made["doc_id"], made
        except OSError as error:
            yield file.name, Reject("unreadable", f"{file.name}: {error.strerror or error}")

    def _row(self, file: _File, found: Found) -> dict[str, Any]:
        from .text import clean, first_heading

        text = clean(found.text, unwrap=self.config.unwrap or found.wrapped, drop_lines=self.config.drop_lines)
        heading = first_heading(text)
        doc_id = file.name if found.name is None else f"{file.name}#{found.name}"
        return {
            "doc_id": doc_id,
            "text": text,
            "title": found.title or heading,
            "source": self._source(file),
            "category": found.category or self._category(file, heading, doc_id),
            "format": file.format,
        }

    def _source(self, file: _File) -> str:
        if self.config.source is not None:
            return self.config.source
        # Where several paths are read, names begin with their folders' names: the source is the same either way.
        folder = file.name.partition("/")[0] if "/" in file.name else ""
        return folder if self.config.source_folders and folder else file.source

    def _category(self, file: _File, heading: str | None, doc_id: str) -> str | None:
        for pattern, category in self.config.categories.items():
            if fnmatchcase(file.name, pattern):
                return category
        import regex

        for wanted, text in ((self.config.category_heading, heading or ""), (self.config.category_id, doc_id)):
            named = None if wanted is None else regex.search(wanted, text)
            if named is not None and named[1]:
                return str(named[1])
        folder = file.name.rpartition("/")[0].rpartition("/")[2]
        return folder or None

    def _files(self) -> list[_File]:
        """All files that are documents, found once.

        Raises:
            ConfigProblem: a path is not there, or nothing at it can be read.
        """
        if self._found is None:
            paths = [self.config.path] if isinstance(self.config.path, str) else list(self.config.path)
            if not paths:
                raise ConfigProblem(("path",), "path names no file", "name a file or a folder", "E311")
            found: list[_File] = []
            for path in map(Path, paths):
                found += _below(path, several=len(paths) > 1)
            files = list({file.path: file for file in found}.values())
            names: dict[str, _File] = {}
            for file in files:
                other = names.setdefault(file.name, file)
                if other is not file:
                    message = f"{str(file.path)!r} and {str(other.path)!r} would both be document {file.name!r}"
                    raise ConfigProblem(("path",), message, "read the folder above them, or rename one", "E311")
            self._found = files
        return self._found


def _below(path: Path, *, several: bool) -> list[_File]:
    """The documents at a path. Where several paths are read, names begin with the folder's, so that none meet."""
    if not path.exists():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")], n=1)
        help = f"did you mean {near[0]!r}?" if near else "check the path; it is relative to the recipe"
        raise ConfigProblem(("path",), f"{str(path)!r} is not there", help, "E311")
    if path.is_file():
        format = FORMATS.get(path.suffix.lower())
        if format is None:
            raise ConfigProblem(("path",), f"{path.name!r} is of no format that is read", _known(), "E311")
        return [_File(path, path.name, path.stem, format)]
    label = path.resolve().name
    found, other = [], set()
    for file in sorted(path.rglob("*"), key=lambda one: one.relative_to(path).as_posix()):
        below = file.relative_to(path)
        if not file.is_file() or any(part.startswith(".") for part in below.parts):
            continue
        format = FORMATS.get(file.suffix.lower())
        if format is None:
            other.add(file.suffix or file.name)
            continue
        name = f"{label}/{below.as_posix()}" if several else below.as_posix()
        found.append(_File(file, name, label, format))
    if not found:
        there = f"; there are {', '.join(sorted(other)[:5])}" if other else ""
        raise ConfigProblem(("path",), f"{str(path)!r} holds no document{there}", _known(), "E311")
    return found


def _known() -> str:
    return f"read are: {', '.join(sorted(FORMATS))}"
