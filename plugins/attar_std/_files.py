"""Which files a path means, in which order, and how their bytes are read."""

from __future__ import annotations

import codecs
import difflib
import gzip
import io
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from attar.api import ConfigProblem

EXTENSIONS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "text",
    ".md": "text",
    ".markdown": "text",
}
COMPRESSIONS = {".gz": "gz", ".zst": "zst"}
EXTRAS = {"s3": "attar[s3]", "hf": "attar[hf]"}


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file to read.

    Attributes:
        url: local path or URL it is opened by.
        name: path relative to what the user named, with `/`; part of row keys, so that moving the folder changes none.
        format: jsonl, json, parquet, csv, tsv or text.
        compression: "", "gz" or "zst".
    """

    url: str
    name: str
    format: str
    compression: str

    @property
    def remote(self) -> bool:
        return is_remote(self.url)


def is_remote(path: str) -> bool:
    return "://" in path


def kind_of(name: str) -> tuple[str | None, str]:
    """Format (None where the name does not tell) and compression, by extension."""
    stem, dot = posixpath.splitext(name.lower())
    compression = COMPRESSIONS.get(dot, "")
    return EXTENSIONS.get(posixpath.splitext(stem)[1] if compression else dot), compression


def filesystem(url: str) -> tuple[Any, str]:
    """fsspec file system and path of a URL.

    Raises:
        ConfigProblem: the library behind the URL's scheme is not installed, or the scheme is unknown.
    """
    import fsspec

    scheme = url.partition("://")[0]
    try:
        fs, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        package = EXTRAS.get(scheme)
        help = f"install it: pip install '{package}'" if package else f"install what it needs: {error}"
        raise ConfigProblem(("path",), f"{scheme}:// needs a library that is not installed", help, "E311") from None
    except ValueError as error:
        raise ConfigProblem(("path",), f"{url!r} cannot be opened: {error}", "", "E311") from None
    return fs, path


def find_files(paths: Sequence[str], format: str) -> list[DataFile]:
    """All files the paths mean, each once: in the order of the list, folders and globs sorted by relative name.

    Raises:
        ConfigProblem: nothing is there, or the format of a file is not known.
    """
    found: list[tuple[str, str, str]] = []  # url, base, name below base
    for path in paths:
        found.extend(_expand_remote(path) if is_remote(path) else _expand_local(path))
    bases = {base for _, base, _ in found}
    common = bases.pop() if len(bases) == 1 else _common(bases)
    files: dict[str, DataFile] = {}
    kinds = {url: kind_of(url) for url, _, _ in found}
    data_too = any(kind not in (None, "text") for kind, _ in kinds.values())
    for url, base, below in found:
        kind, compression = kinds[url]
        named = url in paths  # the user named this very file, so it is never passed over
        if format != "auto":
            if not named and kind is not None and not _fits(kind, format):
                continue
            kind = format
        elif kind == "text" and data_too and not named:
            continue  # a README beside the data
        elif kind is None:
            if not named:
                continue
            raise ConfigProblem(
                ("path",),
                f"the name of {url!r} does not tell its format",
                "add format: jsonl, json, parquet, csv, tsv or text",
                "E311",
            )
        name = below if base == common else posixpath.relpath(posixpath.join(base, below), common)
        files.setdefault(url, DataFile(url, name, kind, compression))
    if not files:
        wanted = "known format" if format == "auto" else f"format {format}"
        shown = ", ".join(repr(p) for p in paths)
        raise ConfigProblem(
            ("path",), f"{shown} holds no files of a {wanted}", f"known: {', '.join(sorted(EXTENSIONS))}", "E311"
        )
    return list(files.values())


def _fits(kind: str, format: str) -> bool:
    return kind == format or {kind, format} in ({"json", "jsonl"}, {"csv", "tsv"})


def _common(bases: set[str]) -> str:
    if any(is_remote(b) for b in bases):
        return ""
    return posixpath.commonpath(sorted(bases)) if bases else ""


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "_")) for part in name.split("/"))


def _expand_local(path: str) -> Iterator[tuple[str, str, str]]:
    place = Path(path).absolute()
    if place.is_file():
        yield path, place.parent.as_posix(), place.name
        return
    if place.is_dir():
        base, matches = place, [p for p in place.rglob("*") if p.is_file()]
    elif any(c in path for c in "*?["):
        fixed = []
        for part in place.parts:
            if any(c in part for c in "*?["):
                break
            fixed.append(part)
        base = Path(*fixed)
        matches = [p for p in base.glob(str(place.relative_to(base))) if p.is_file()] if base.is_dir() else []
        if not matches:
            raise ConfigProblem(("path",), f"no file matches {path!r}", f"looked in {_shown(base)}", "E311")
    else:
        raise _missing(path, place)
    for name in sorted(p.relative_to(base).as_posix() for p in matches):
        if not _hidden(name):
            yield str(base / name), base.as_posix(), name


def _shown(folder: Path) -> str:
    try:
        inside = folder.relative_to(Path.cwd())
    except ValueError:
        return str(folder)
    return "the working directory" if inside == Path() else f"./{inside}"


def _missing(path: str, place: Path) -> ConfigProblem:
    parent = place.parent
    while not parent.exists():
        parent = parent.parent
    if parent != place.parent:
        missing = place.relative_to(parent).parts[0]
        message, looked = f"{path!r} does not exist: there is no folder {missing!r}", missing
    else:
        message, looked = f"{path!r} does not exist", place.name
    names = [p.name for p in parent.iterdir()] if parent.is_dir() else []
    near = difflib.get_close_matches(looked, names, n=3, cutoff=0.5)
    where = _shown(parent)
    help = f"in {where} there is: {', '.join(near)}" if near else f"looked in {where}"
    return ConfigProblem(("path",), message, help, "E311")


def _expand_remote(url: str) -> Iterator[tuple[str, str, str]]:
    fs, path = filesystem(url)
    scheme = url.partition("://")[0]
    try:
        if any(c in path for c in "*?["):
            matches = [p for p in fs.glob(path) if not fs.isdir(p)]
            base = path[: min(i for c in "*?[" if (i := path.find(c)) >= 0)].rpartition("/")[0]
        elif fs.isfile(path):
            base, matches = path.rpartition("/")[0], [path]
        else:
            base, matches = path.rstrip("/"), list(fs.find(path))
    except Exception as error:
        raise ConfigProblem(("path",), f"{url!r} cannot be listed: {error}", "", "E311") from None
    if not matches:
        raise ConfigProblem(("path",), f"nothing is found at {url!r}", "check the address and your access", "E311")
    for match in sorted(matches):
        name = match[len(base) :].lstrip("/")
        if len(matches) == 1 or not _hidden(name):
            yield (url if [match] == matches and match == path else f"{scheme}://{match}"), f"{scheme}://{base}", name


def open_plain(file: DataFile) -> BinaryIO:
    """The file's own bytes, seekable where the place allows."""
    if file.remote:
        fs, path = filesystem(file.url)
        return cast(BinaryIO, fs.open(path, "rb"))
    return Path(file.url).open("rb")


def open_bytes(file: DataFile, encoding: str) -> BinaryIO:
    """The file's content as UTF-8, decompressed and recoded. Broken input bytes stay broken, so that they are seen."""
    raw = open_plain(file)
    if file.compression == "gz":
        unpacked = gzip.GzipFile(fileobj=raw)
        unpacked.myfileobj = raw  # type: ignore[assignment]  # closed with it
        raw = cast(BinaryIO, unpacked)
    elif file.compression == "zst":
        import zstandard

        raw = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True, closefd=True)
    if is_utf8(encoding):
        return raw
    return cast(BinaryIO, _Recoded(raw, encoding))


def is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii")


def seekable(file: DataFile, encoding: str) -> bool:
    """Whether a byte offset in `open_bytes` can be gone to without reading what lies before it."""
    return not file.compression and is_utf8(encoding)


class _Recoded(io.RawIOBase):
    """Another encoding read as UTF-8; what cannot be decoded comes out as invalid UTF-8."""

    def __init__(self, raw: BinaryIO, encoding: str) -> None:
        self._raw = raw
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="surrogateescape")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while True:
            data = self._raw.read(size)
            text = self._decoder.decode(data, final=not data)
            if text or not data:
                return text.encode("utf-8", "surrogateescape")

    def close(self) -> None:
        self._raw.close()
        super().close()
