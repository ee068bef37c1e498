"""A step that raises where no row can be blamed: the run stops, names the step, and can go on once that is mended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from attar.api import ConfigProblem
from attar.errors import AttarError, fail


@contextmanager
def blamed_on(step: str, use: str) -> Iterator[None]:
    """Turns whatever a source, dataset step or sink raises into an AttarError that names it.

    Raises:
        AttarError: the problem the step named itself (a ConfigProblem), or E724 for any other exception.
    """
    try:
        yield
    except (AttarError, GeneratorExit):
        raise
    except ConfigProblem as problem:
        raise fail(
            problem.code, f"step {step!r} ({use}): {problem.message}", help=problem.help, exit_code=1
        ) from problem
    except (Exception, SystemExit) as error:
        raise fail(
            "E724",
            f"step {step!r} ({use}) failed: {type(error).__name__}: {error}",
            help="mend its input or its plugin, then run again; ATTAR_DEBUG=1 shows the traceback",
            exit_code=1,
        ) from error


def kept_its_word(step: str, use: str, start: int, stop: int | None, end: int) -> None:
    """Demands that a source gave as many records as its `count` promised.

    Raises:
        AttarError: E726, records are missing, or there are more than were asked for.
    """
    if stop is not None and end != stop:
        raise fail(
            "E726",
            f"source {step!r} ({use}) was asked for records {start} to {stop} and gave {end - start} of them",
            help="its input may have changed while it was read; else its count() and rows() do not agree",
            exit_code=1,
        )
