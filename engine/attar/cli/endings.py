"""How a command ends when it does not end well: what is printed, what is logged, which exit code."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from attar.errors import AttarError, Diagnostic, render

SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
SHORTEST_SECRET = 6  # shorter values would blot out ordinary words


NO_ROOM = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ENAMETOOLONG}
)


@dataclass(slots=True)
class Scene:
    """What the running verb has told about itself, for the crash log.

    Attributes:
        folder: where a crash log belongs.
        secrets: names of environment variables whose values must not be written.
    """

    folder: Path = Path("runs")
    secrets: set[str] = field(default_factory=set)


scene = Scene()


def set_scene(folder: Path, secrets: Mapping[str, str] | None = None) -> None:
    """Called by a verb once it knows its run folder and which environment variables hold secrets."""
    scene.folder = folder
    scene.secrets = set((secrets or {}).values())


def command_to_go_on(args: Sequence[str]) -> str:
    """The command that goes on with what was interrupted: the same one, less `--fresh`, which would start again."""
    return shlex.join(["attar", *(arg for arg in args if arg != "--fresh")])


def interrupted(args: Sequence[str]) -> int:
    """Ctrl-C where the verb itself had nothing to tidy up."""
    print(f"Interrupted. To go on: {command_to_go_on(args)}", file=sys.stderr)
    return 130


def refused(error: AttarError) -> int:
    """A user's mistake, or a run that had to stop: its diagnostics on stderr."""
    show_diagnostics(error.diagnostics)
    return error.exit_code


def show_diagnostics(diagnostics: Sequence[Diagnostic]) -> None:
    """Diagnostics on stderr, in colour on a terminal unless NO_COLOR is set."""
    color = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    print(render(diagnostics, color=color), end="", file=sys.stderr)


def pipe_closed() -> int:
    """The reader of our output went away (`attar … | head`): no word about it, here or at interpreter exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def no_room(error: OSError) -> int:
    """The disk is full, or a folder cannot be written: the user's to mend, not our bug."""
    where = f" {error.filename}" if error.filename else ""
    help = "make room or choose another folder with --runs, then run the same command again: nothing paid for is lost"
    show_diagnostics([Diagnostic("E730", f"cannot write{where}: {error.strerror}", help=help)])
    return 1


def crashed(error: BaseException) -> int:
    """Our own bug: one line on the terminal, the traceback in a file."""
    if os.environ.get("ATTAR_DEBUG") == "1":
        traceback.print_exception(error)
        return 1
    name = f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    text = scrub("".join(traceback.format_exception(error)))
    for folder in (scene.folder, Path(tempfile.gettempdir())):
        path = folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            where = f"The traceback is in {path}."
            break
        except OSError:
            where = "The traceback could not be written; set ATTAR_DEBUG=1 to see it."
    summary = scrub(f"{type(error).__name__}: {error}".splitlines()[0])
    print(f"attar failed through a fault of its own: {summary}. {where}", file=sys.stderr)
    return 1


def scrub(text: str) -> str:
    """The text without the values of environment variables that hold secrets."""
    for name, value in os.environ.items():
        secret = name in scene.secrets or any(word in name.upper() for word in SECRET_WORDS)
        if secret and len(value) >= SHORTEST_SECRET:
            text = text.replace(value, f"<{name}>")
    return text
