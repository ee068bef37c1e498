"""attar report: what evaluations say, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click


@click.command("report")
@click.option(
    "--evals",
    nargs=2,
    type=click.Path(path_type=Path),
    required=True,
    metavar="A B",
    help="Two results files of lm-evaluation-harness, or two folders of them.",
)
@click.option("--names", nargs=2, metavar="A B", help="What to call the two; the models' names by default.")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="[TASK/]METRIC",
    help="Compare by this metric, of one task or of all that have it. Repeatable.",
)
@click.option("--all-metrics", is_flag=True, help="Compare by every metric that both files have.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json", "csv"]),
    default="text",
    show_default=True,
    help="How the table is written.",
)
def command(
    evals: tuple[Path, Path], names: tuple[str, str] | None, metrics: Sequence[str], all_metrics: bool, form: str
) -> int:
    """Compare two evaluations: differences in points and percent, task by task.

    A is what B is measured against. Without --metric each task is compared by its only metric, or by the first it has
    of acc_norm, acc, exact_match, pass@1, f1, bleu_acc. The better figure is marked, and where both files have standard
    errors, so are differences that may be chance.
    """
    if metrics and all_metrics:
        raise click.UsageError("--metric and --all-metrics exclude each other")
    from attar.report.evals import compare
    from attar.report.evals_text import FORMATS

    print(FORMATS[form](compare(*evals, names=names, metrics=metrics, every=all_metrics)))
    return 0
