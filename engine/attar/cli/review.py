"""attar review: shows the rows that wait for a person, and files what the person decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from attar.cli.common import count, json_option, print_json, recipe_name, runs_option
from attar.errors import fail

if TYPE_CHECKING:
    from attar.cli.review_desk import Desk, Filed, Waiting
    from attar.store.decisions import Decision, Verb

_ONE_ACT = "--show, --approve, --edit, --reject, --export, --from, --decided and --interactive exclude each other"


def _set_options(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"expected column=value, found {text!r}", ctx, param)
        if name.strip() in texts:
            raise click.BadParameter(f"{name.strip()!r} is given twice", ctx, param)
        texts[name.strip()] = value
    return texts


@click.command("review")
@click.argument("run")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--show", is_flag=True, help="Show the rows in full: verdict, columns, every try.")
@click.option("--approve", is_flag=True, help="Let the rows go on as they are.")
@click.option("--edit", is_flag=True, help="Let one row go on with the columns that --set changes.")
@click.option("--reject", is_flag=True, help="Turn the rows away.")
@click.option(
    "--set",
    "texts",
    multiple=True,
    metavar="COLUMN=VALUE",
    callback=_set_options,
    help="For --edit: a column's new value. Text as it stands; JSON where the column holds no text. Repeatable.",
)
@click.option("--reason", metavar="TEXT", help="Why it is decided so; goes into the row's provenance.")
@click.option("--who", metavar="NAME", help="Who decides; ATTAR_REVIEWER, else the login name, by default.")
@click.option("--all", "every", is_flag=True, help="In place of IDs: all rows that wait (at --step).")
@click.option("--step", metavar="NAME", help="Only rows that this judge laid aside.")
@click.option("--export", type=click.Path(path_type=Path), help="Write a sheet (.jsonl or .csv) for a team to fill in.")
@click.option("--from", "sheet", type=click.Path(path_type=Path), help="Read a sheet's decisions, all or none.")
@click.option("--decided", is_flag=True, help="List what was decided so far.")
@click.option("--interactive", "-i", is_flag=True, help="Go through the rows one by one.")
@runs_option
@json_option("Print one JSON document.")
def command(
    run: str,
    ids: tuple[str, ...],
    show: bool,
    approve: bool,
    edit: bool,
    reject: bool,
    texts: dict[str, str],
    reason: str | None,
    who: str | None,
    every: bool,
    step: str | None,
    export: Path | None,
    sheet: Path | None,
    decided: bool,
    interactive: bool,
    runs: Path,
    as_json: bool,
) -> int:
    """List, show and decide the rows that wait for review.

    RUN is a run's folder, `recipe/run`, or a recipe's name or file for its latest run. Without more, the rows that wait
    are listed. An ID may be given by its first digits. The next `attar run` carries the decisions through the rest of
    the recipe; nothing that was paid is paid again. A decision holds for this text and this verdict alone, and of
    several on the same the last one counts.

    \b
      attar review essays                                       list
      attar review essays 3fa2 --show                           look
      attar review essays 3fa2 91c0 --approve --reason "fine"   decide
      attar review essays 3fa2 --edit --set title="Rain" --reason "typo"
      attar review essays --export sheet.csv                    hand out
      attar review essays --from sheet.csv                      take back
    """
    verbs: list[Verb] = []
    for given, verb in ((approve, "approve"), (edit, "edit"), (reject, "reject")):
        if given:
            verbs.append(verb)  # type: ignore[arg-type]
    if len(verbs) + show + decided + interactive + (export is not None) + (sheet is not None) > 1:
        raise click.UsageError(_ONE_ACT)
    _demand_usage(ids, verbs, texts, reason, every, show, sheet is not None)

    from attar.cli.review_desk import Desk
    from attar.store.workspace import find_run

    desk = Desk(find_run(recipe_name(run, runs), runs))
    rows = desk.at(step)
    if verbs:
        chosen = rows if every else _chosen(desk, ids, step)
        return _say(desk, desk.file_all(_decisions(chosen, verbs[0], reason or "", who, texts)), as_json)
    if sheet is not None:
        return _say(desk, desk.file_all(_from_sheet(desk, sheet, who)), as_json)
    if export is not None:
        return _export(desk, rows, export, as_json)
    if show:
        return _show(desk, rows if every else _chosen(desk, ids, step), as_json)
    if decided:
        return _list_decided(desk, step, as_json)
    if interactive:
        from attar.cli.review_one_by_one import one_by_one

        return one_by_one(desk, rows, who)
    return _list(desk, rows, as_json)


def _demand_usage(
    ids: Sequence[str],
    verbs: Sequence[str],
    texts: Mapping[str, str],
    reason: str | None,
    every: bool,
    show: bool,
    sheet: bool,
) -> None:
    if verbs or show:
        word = f"--{verbs[0]}" if verbs else "--show"
        if bool(ids) == every:
            raise click.UsageError(f"{word} takes the IDs of rows, or --all")
    elif ids or every:
        raise click.UsageError("say what to do with the rows: --show, --approve, --edit or --reject")
    if verbs and not (reason or "").strip():
        raise click.UsageError("a decision needs a reason: --reason TEXT")
    if reason is not None and not verbs:
        raise click.UsageError("--reason belongs to --approve, --edit or --reject" + sheet * "; a sheet has its own")
    if texts and "edit" not in verbs:
        raise click.UsageError("--set belongs to --edit")
    if "edit" in verbs and not texts:
        raise click.UsageError("--edit takes at least one --set COLUMN=VALUE")


def _chosen(desk: Desk, ids: Sequence[str], step: str | None) -> list[Waiting]:
    from attar.errors import AttarError

    found: dict[str, Waiting] = {}
    faults = []
    for start in ids:
        try:
            row = desk.find(start, step)
            found[row.key] = row
        except AttarError as error:
            faults += error.diagnostics
    if faults:
        raise AttarError(faults)
    return list(found.values())


def _decisions(
    rows: Sequence[Waiting], verb: Verb, reason: str, who: str | None, texts: Mapping[str, str]
) -> list[Decision]:
    from attar.cli.review_desk import decide, now, reviewer
    from attar.cli.review_edits import Unfit, set_columns
    from attar.errors import AttarError, Diagnostic

    name, when = reviewer(who), now()
    made, faults = [], []
    for row in rows:
        columns: Mapping[str, Any] = {}
        if verb == "edit":
            try:
                columns = set_columns(row, texts)
            except Unfit as fault:
                faults.append(Diagnostic("E756", f"row {row.id} cannot be edited so: {fault}"))
                continue
            if not columns:
                faults.append(Diagnostic("E756", f"row {row.id} would not change", help="approve it as it is"))
                continue
        made.append(decide(row, verb, reason.strip(), name, when, columns))
    if faults:
        raise AttarError(faults)
    return made


def _from_sheet(desk: Desk, file: Path, who: str | None) -> list[Decision]:
    from attar.cli.review_desk import now, reviewer
    from attar.cli.review_sheet import read_sheet

    decisions = read_sheet(file, desk, reviewer(who), now())
    if not decisions:
        raise fail("E755", f"no line of {file} has a decision", help="write approve, edit or reject under decision")
    return decisions


# -- what is printed -------------------------------------------------------------------------------------------------


def _say(desk: Desk, filed: Filed, as_json: bool) -> int:
    if as_json:
        print_json(
            {
                "run": desk.name,
                "written": filed.written,
                "unchanged": filed.unchanged,
                "replaced": filed.replaced,
                "waiting": filed.waiting,
            }
        )
        return 0
    said = [f"{count(filed.written, 'decision')} filed"]
    if filed.replaced:
        said.append(f"{filed.replaced:,} of them in place of an earlier one")
    if filed.unchanged:
        said.append(f"{filed.unchanged:,} stood so already")
    said.append(f"{count(filed.waiting, 'row')} still {'waits' if filed.waiting == 1 else 'wait'}")
    print("; ".join(said) + ".")
    print(go_on(desk))
    return 0


def go_on(desk: Desk) -> str:
    """What to do once something is decided."""
    return f"Run the recipe again ({desk.file or desk.recipe}), and what is decided goes on."


def decided_line(desk: Desk) -> str:
    """What to know of rows that are decided and still lie in review; "" where there are none."""
    return f"{count(len(desk.pending), 'row')} decided, but not carried on yet. {go_on(desk)}" if desk.pending else ""


def _export(desk: Desk, rows: Sequence[Waiting], file: Path, as_json: bool) -> int:
    from attar.cli.review_sheet import write_sheet

    if rows:
        write_sheet(file, rows)
    if as_json:
        print_json({"run": desk.name, "rows": len(rows), "file": str(file) if rows else None})
    elif rows:
        print(
            f"{count(len(rows), 'row')} in {file}: write approve, edit or reject under decision, and why under reason."
        )
        print(f"Then: attar review {desk.recipe} --from {file}")
    else:
        print(f"No row of {desk.name} waits; nothing is written.")
    return 0


def _show(desk: Desk, rows: Sequence[Waiting], as_json: bool) -> int:
    from attar.display.review import whole_row

    since = desk.since(rows)
    if as_json:
        shown = []
        for row, began in zip(rows, since, strict=True):
            answers = desk.answers(row)
            history = [{**e, "answer": answers[e["key"]]} if e.get("key") in answers else dict(e) for e in row.trail]
            shown.append({**_described(row, began), "history": history})
        print_json({"run": desk.name, "rows": shown})
        return 0
    texts = [
        whole_row(row, desk.answers(row), began, desk.earlier(row)) for row, began in zip(rows, since, strict=True)
    ]
    print("\n\n".join(texts) if texts else f"No row of {desk.name} waits.")
    return 0


def _list(desk: Desk, rows: Sequence[Waiting], as_json: bool) -> int:
    from datetime import UTC, datetime

    from attar.display.review import waiting_table

    since = desk.since(rows)
    if as_json:
        described = [_described(row, began) for row, began in zip(rows, since, strict=True)]
        print_json({"run": desk.name, "waiting": described, "decided": len(desk.pending)})
        return 0
    print(f"{desk.name}: {count(len(rows), 'row')} {'waits' if len(rows) == 1 else 'wait'} for review.")
    if rows:
        print("\n" + waiting_table(rows, since, datetime.now(UTC)))
        print(f"\nLook at one: attar review {desk.recipe} {rows[0].id[:8]} --show")
    if line := decided_line(desk):
        print("\n" + line)
    return 0


def _list_decided(desk: Desk, step: str | None, as_json: bool) -> int:
    from attar.display.review import decided_table

    rows = [row for row in desk.decided_rows() if step in (None, row.step)]
    pending = {row.key for row in desk.pending}
    if as_json:
        from dataclasses import asdict

        found = [
            {key: value for key, value in asdict(decision).items() if key != "judged"}
            for decision in desk.decisions
            if step in (None, decision.step)
        ]
        counting = {row.decided.number for row in rows if row.decided is not None}
        print_json({"run": desk.name, "decisions": [{**one, "counts": one["number"] in counting} for one in found]})
        return 0
    print(f"{desk.recipe}: {count(len(rows), 'row')} decided.")
    if rows:
        print("\n" + decided_table(rows, {row.id for row in rows if row.key in pending}))
    return 0


def _described(row: Waiting, since: Any) -> dict[str, Any]:
    decision = row.decided
    return {
        "key": row.key,
        "id": row.id,
        "step": row.step,
        "code": row.code,
        "feedback": row.detail,
        "attempt": row.attempt,
        "since": since.strftime("%Y-%m-%dT%H:%M:%SZ") if since is not None else None,
        "verdict": row.verdict,
        "row": row.row,
        "decided": None
        if decision is None
        else {"decision": decision.decision, "who": decision.who, "when": decision.when, "reason": decision.reason},
    }
