"""One row's way through a stage: the rules of rejecting, retrying, expanding and dead-lettering, and nothing else.

Whatever the timing, a walk over the same answers gives the same RowResult: outcomes and trails are kept per step and
put in topological order at the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from attar.api import Judge, Reject, Retry, Row, RowError, RowStep, Source, Verdict
from attar.errors import AttarError, fail
from attar.execute.context import FIRST_TRY, Facts, StepContext
from attar.execute.coroutines import drive, together
from attar.execute.memory import LoopMemory, verdict_column
from attar.execute.program import Block, Loop, Node, Program
from attar.execute.results import DEAD, Columns, Emitted, OutcomeRow, RowResult, json_of, shown
from attar.execute.scope import Live, Scope
from attar.identity import child_id
from attar.store.decisions import review_key

CHILDREN_AT_ONCE = 64
OUTCOMES = ("pass", "fail", "unparseable", "error")


class Walker:
    """Walks rows through a compiled stage."""

    def __init__(self, program: Program, facts: Facts) -> None:
        self._program = program
        self._facts = facts
        self.live: Live = {}

    async def row(
        self, ordinal: int, id: str, parents: tuple[str, ...], trail: bytes | None, columns: Columns
    ) -> RowResult:
        """One input row. Raises only what must stop the run."""
        source = self._program.source
        scope = Scope(id, parents, trail, self.live)
        scope.env[self._program.root] = columns
        if source is not None:
            scope.status.enter(source.name)
            scope.status[source.name] = "accepted"
        return await self._scope(self._program.root, scope, ordinal)

    def unreadable(self, id: str, why: Reject, raw: Columns) -> RowResult:
        """The result of a record that the source could not read."""
        source = self._program.root
        why = Reject(shown(why.code), shown(why.detail))
        outcome = OutcomeRow(DEAD, id, source, why.code, why.detail, 1, (), json_of(raw), None)
        return RowResult(
            [], [outcome], [(source, "in", 1), (source, DEAD, 1)], [(source, DEAD, why.code, id, why.detail)]
        )

    def _ending(self) -> bool:
        """Whether a cancellation comes from the engine, not from the step itself."""
        task = asyncio.current_task()
        return self._facts.pace.halted or (task is not None and task.cancelling() > 0)

    # -- one scope ---------------------------------------------------------------------------------------------

    async def _scope(self, name: str, scope: Scope, ordinal: int) -> RowResult:
        block = self._program.blocks[name]
        if block.linear:
            for item in block.items:
                if isinstance(item, Loop):
                    await self._loop(item, scope, ordinal)
                elif not await self._solo(item, scope, ordinal):
                    break
        else:
            await self._at_once(block, scope, ordinal)
        return self._result(name, block, scope)

    async def _at_once(self, block: Block, scope: Scope, ordinal: int) -> None:
        tasks: list[asyncio.Task[Any]] = []

        async def run(item: Node | Loop, before: Sequence[asyncio.Task[Any]]) -> None:
            for task in before:
                await asyncio.shield(task)
            if isinstance(item, Loop):
                await self._loop(item, scope, ordinal)
            else:
                await self._solo(item, scope, ordinal)

        for item, after in zip(block.items, block.after, strict=True):
            tasks.append(asyncio.ensure_future(run(item, [tasks[i] for i in after])))
        await together(tasks)

    def _result(self, name: str, block: Block, scope: Scope) -> RowResult:
        emitted: list[Emitted] = []
        outcomes: list[OutcomeRow] = []
        counts: list[tuple[str, str, int]] = []
        reasons = sorted(scope.reasons, key=_reason_order(block)) if len(scope.reasons) > 1 else scope.reasons
        for tap in self._program.taps[name]:
            node = self._program.nodes.get(tap)
            if node is not None and not node.expands and tap in scope.env:
                emitted.append(Emitted(tap, scope.id, scope.parents, self._trail(node, scope), scope.env[tap]))
        status = scope.status
        for node in block.order:
            step = node.name
            if step in scope.retried:  # also where the row was then lost before it came back to this judge
                counts.append((step, "retried", scope.retried[step]))
            fate = status.get(step)
            if fate is None:
                continue
            if fate == "passed_by":
                counts.append((step, "passed_by", 1))
            else:
                counts.append((step, "in", 1))
                counts.append((step, fate, 1))
                if node.kind == "source" and fate == "accepted":
                    counts.append((step, "made", 1))
            if step in scope.outcome:
                outcomes.append(scope.outcome[step])
            children = scope.children.get(step)
            if children is not None:
                counts.append((step, "made", len(children)))
                for child in children:
                    emitted += child.emitted
                    outcomes += child.outcomes
                    counts += child.counts
                    reasons = reasons + child.reasons
        return RowResult(emitted, outcomes, counts, reasons)

    def _trail(self, node: Node, scope: Scope) -> bytes | None:
        if not scope.trails:
            return scope.prefix
        entries = [entry for name in node.lineage for entry in scope.trails.get(name, ())]
        if not entries:
            return scope.prefix
        new = orjson.dumps(entries)
        return new if scope.prefix is None else scope.prefix[:-1] + b"," + new[1:]

    # -- steps -------------------------------------------------------------------------------------------------

    def _incoming(self, node: Node, scope: Scope) -> Columns | None:
        """The columns that arrive at a node, or None where the row was lost on the way."""
        inputs = node.inputs
        if len(inputs) == 1:
            return scope.env.get(inputs[0])
        merged: dict[str, Any] = {}
        for name in inputs:
            part = scope.env.get(name)
            if part is None:
                return None
            merged.update(part)
        for judge, edits in scope.edits.items():  # a branch that does not come from the judge brings the old text
            if judge in node.lineage:
                merged.update({name: new for name, (old, new) in edits.items() if merged.get(name) == old})
        return merged

    async def _solo(self, node: Node, scope: Scope, ordinal: int) -> bool:
        """Runs a node that is in no loop; False where the row does not go on from here."""
        columns = self._incoming(node, scope)
        if columns is None:
            return False
        verdict = await self._run(node, scope, ordinal, columns, 1, FIRST_TRY)
        if verdict is not None:
            self._settle(node, scope, columns, verdict, 1)
        return node.name in scope.env

    async def _run(
        self, node: Node, scope: Scope, ordinal: int, columns: Columns, attempt: int, retry: Retry
    ) -> Verdict | None:
        """Runs one node once. Sets its columns and fate; a judge's verdict is returned for the caller to settle."""
        name = node.name
        scope.status.enter(name)
        row = Row(scope.id, columns, scope.parents, attempt)
        context = StepContext(self._facts, name, scope.id, attempt, retry, ordinal, node.side)
        try:
            if node.when is not None and not node.when(columns):
                scope.env[name] = {**columns, **dict.fromkeys(node.added)}
                scope.status[name] = "passed_by"
                return None
            if node.kind == "judge":
                return await self._judge(node, scope, row, context)
            if node.kind == "source":
                if attempt > 1:
                    assert isinstance(node.step, Source)
                    columns = {**columns, **node.step.redraw(row, context)}
                scope.env[name] = columns
                scope.status[name] = "accepted"
                return None
            assert isinstance(node.step, RowStep)
            call = node.step.apply(row, context)
            answer = await (asyncio.to_thread(drive, call) if node.step.blocking else call)
            self._note(node, scope, context, attempt)
            if isinstance(answer, Reject):
                self._end(node, scope, "rejected", answer.code, answer.detail, attempt, columns)
            elif node.expands:
                scope.status[name] = "accepted"
                await self._children(node, scope, ordinal, columns, answer)
            else:
                scope.env[name] = _merge(node, columns, answer)
                scope.status[name] = "accepted"
        except RowError as error:
            self._note(node, scope, context, attempt)
            self._end(node, scope, DEAD, error.code, error.detail, attempt, columns)
        except AttarError:
            raise
        except (Exception, SystemExit, asyncio.CancelledError) as error:  # a bug in a step never ends a run
            if isinstance(error, asyncio.CancelledError) and self._ending():
                raise
            self._note(node, scope, context, attempt)
            self._end(node, scope, DEAD, "exception", f"{type(error).__name__}: {error}", attempt, columns)
        return None

    async def _judge(self, node: Node, scope: Scope, row: Row, context: StepContext) -> Verdict:
        assert isinstance(node.step, Judge)
        verdict = Verdict("unparseable")
        for ask in range(node.policy.format_attempts):
            context.ask = ask
            try:
                verdict = await node.step.judge(row, context)
            except RowError as error:
                if error.code not in ("unparseable", "truncated"):
                    raise
                verdict = Verdict("unparseable", error.code, feedback=error.detail)
            if verdict.outcome not in OUTCOMES:
                known = ", ".join(OUTCOMES)
                raise RowError("plugin_contract", f"a verdict is one of {known}, found {verdict.outcome!r}")
            verdict = verdict._replace(code=shown(verdict.code), feedback=shown(verdict.feedback))
            if verdict.outcome != "unparseable":
                break
        self._note(node, scope, context, row.attempt, verdict)
        return verdict

    def _settle(self, node: Node, scope: Scope, columns: Columns, verdict: Verdict, attempt: int) -> None:
        """Gives a judge its final verdict on a row: no retry is left, or none was needed."""
        name = node.name
        code = verdict.code or verdict.outcome
        if verdict.outcome in ("unparseable", "error"):
            kind = "unparseable" if verdict.outcome == "unparseable" else verdict.code or "judge_error"
            self._end(node, scope, DEAD, kind, verdict.feedback, attempt, columns)
            return
        then = node.policy.then
        if verdict.outcome == "fail" and then == "fail":
            raise fail(
                "E710",
                f"step {name!r} failed row {scope.id} ({code}) and its policy is `then: fail`",
                help="mend the cause, then run again: answers received so far are kept",
                exit_code=1,
            )
        judged = {**columns, **verdict_column(node, verdict)}
        if verdict.review or (verdict.outcome == "fail" and then == "review"):
            self._review(node, scope, code, verdict.feedback, attempt, judged)
        elif verdict.outcome == "fail" and then == "drop":
            self._end(node, scope, "rejected", code, verdict.feedback, attempt, judged)
        else:
            scope.env[name] = judged
            scope.status[name] = "accepted"

    def _review(self, node: Node, scope: Scope, code: str, detail: str, attempt: int, judged: Columns) -> None:
        """A row that a person has to look at: it waits, or goes the way that was decided for this text and verdict."""
        name = node.name
        decisions = self._facts.decisions
        was = json_of(judged) if decisions else b""
        decision = decisions.get(review_key(name, scope.id, was)) if decisions else None
        if decision is None:
            self._end(node, scope, "review", code, detail, attempt, judged)
            return
        changed = {column: value for column, value in decision.columns.items() if column in judged}
        entry: dict[str, Any] = {
            "step": name,
            "row": scope.id,
            "attempt": attempt,
            "decision": decision.decision,
            "who": decision.who,
            "when": decision.when,
            "reason": decision.reason,
        }
        if changed:
            before = orjson.loads(was)
            entry["before"] = {column: before.get(column) for column in changed}
        scope.trails.setdefault(name, []).append(entry)
        if decision.decision == "reject":
            self._end(node, scope, "rejected", "review_rejected", decision.reason, attempt, judged)
            return
        scope.env[name] = {**judged, **changed}
        scope.status[name] = "accepted"
        if changed:
            scope.edits[name] = {column: (judged[column], value) for column, value in changed.items()}

    async def _children(self, node: Node, scope: Scope, ordinal: int, columns: Columns, answer: Any) -> None:
        if not isinstance(answer, list):
            raise TypeError(f"an expanding step returns a list, found {type(answer).__name__}")
        prefix = self._trail(node, scope)
        results: list[RowResult | None] = [None] * len(answer)
        waiting = iter(enumerate(answer))

        async def work() -> None:
            for k, part in waiting:
                child = Scope(child_id(scope.id, node.name, k), (scope.id,), prefix, self.live)
                child.env[node.name] = _merge(node, columns, part)
                results[k] = await self._scope(node.name, child, ordinal)
                if node.name in self._program.taps[node.name]:
                    own = Emitted(node.name, child.id, child.parents, prefix, child.env[node.name])
                    results[k].emitted.insert(0, own)  # type: ignore[union-attr]

        workers = [asyncio.ensure_future(work()) for _ in range(min(CHILDREN_AT_ONCE, len(answer)))]
        await together(workers)
        scope.children[node.name] = [result for result in results if result is not None]

    # -- loops -------------------------------------------------------------------------------------------------

    async def _loop(self, loop: Loop, scope: Scope, ordinal: int) -> None:
        """Runs a loop's nodes in order; a failing judge sends the row back until its attempts are spent."""
        memory = LoopMemory()
        position = 0
        nodes = loop.nodes
        while position < len(nodes):
            node = nodes[position]
            name = node.name
            columns = self._incoming(node, scope) if node.kind != "source" else scope.env[self._program.root]
            if name in memory.settled or columns is None:
                position += 1
                continue
            attempt = memory.runs[name] = memory.runs.get(name, 0) + 1
            verdict = await self._run(node, scope, ordinal, columns, attempt, memory.retry(name, attempt))
            memory.settled.add(name)
            position += 1
            if verdict is None:
                continue
            if verdict.outcome != "fail" or not node.region:
                self._settle(node, scope, columns, verdict, attempt)
                continue
            fails = memory.fails[name] = memory.fails.get(name, 0) + 1
            if node.policy.then == "keep_best":
                memory.keep(node, scope, columns, verdict)
            if fails < node.policy.attempts:
                target = loop.nodes[loop.index[node.region[0]]]
                code = verdict.code or "fail"
                scope.reasons.append((name, "retried", code, scope.id, verdict.feedback))
                scope.retried[name] = scope.retried.get(name, 0) + 1
                retried = self.live.setdefault(name, {})
                retried["retried"] = retried.get("retried", 0) + 1
                memory.remember(node, target, columns, verdict)
                for again in loop.below[target.name]:
                    memory.settled.discard(again)
                    scope.status.forget(again)
                    scope.outcome.pop(again, None)
                    scope.edits.pop(again, None)
                    if target.kind != "source" or again != target.name:
                        scope.env.pop(again, None)
                position = loop.index[target.name]
            elif node.policy.then == "keep_best":
                scope.env.update(memory.best[name][1])
                scope.status[name] = "accepted"
            else:
                self._settle(node, scope, columns, verdict, attempt)

    # -- records -----------------------------------------------------------------------------------------------

    def _note(
        self, node: Node, scope: Scope, context: StepContext, attempt: int, verdict: Verdict | None = None
    ) -> None:
        if not context.trail and verdict is None:
            return
        entries = scope.trails.setdefault(node.name, [])
        for entry in context.take_trail():
            entries.append({"step": node.name, "row": scope.id, "attempt": attempt, **entry})
        if verdict is not None:
            entry = {"step": node.name, "row": scope.id, "attempt": attempt, "outcome": verdict.outcome}
            if verdict.code:
                entry["code"] = verdict.code
            if verdict.scores:
                entry["scores"] = dict(verdict.scores)
            if verdict.feedback:
                entry["feedback"] = verdict.feedback
            entries.append(entry)

    def _end(self, node: Node, scope: Scope, kind: str, code: str, detail: str, attempt: int, columns: Columns) -> None:
        code, detail = shown(code), shown(detail)
        scope.status[node.name] = kind
        scope.env.pop(node.name, None)
        scope.outcome[node.name] = OutcomeRow(
            kind, scope.id, node.name, code, detail, attempt, scope.parents, json_of(columns), self._trail(node, scope)
        )
        scope.reasons.append((node.name, kind, code, scope.id, detail))


def _merge(node: Node, columns: Columns, made: Any) -> Columns:
    if not isinstance(made, Mapping):
        raise TypeError(f"a step returns a mapping of columns, found {type(made).__name__}")
    if not made.keys() <= node.leaving:
        unknown = ", ".join(sorted(made.keys() - node.leaving))
        raise RowError("plugin_contract", f"columns not among those the step said it writes: {unknown}")
    merged = {**columns, **made}
    if node.project is not None:
        return {name: merged.get(name) for name in node.project}
    if len(merged) != len(node.leaving):
        for name in node.added:
            merged.setdefault(name, None)
    return merged


def _reason_order(block: Block) -> Any:
    place = {node.name: i for i, node in enumerate(block.order)}
    return lambda reason: place[reason[0]]
