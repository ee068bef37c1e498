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
