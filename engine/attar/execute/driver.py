"""Runs a plan from its first stage to its outputs, or goes on where an earlier run of it stopped."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attar import __version__
from attar.artifact.answers import Answers
from attar.artifact.checksums import Checksums
from attar.errors import AttarError
from attar.execute.options import EXIT_CODES, Interrupted, OnEvent, Outcome, RunOptions, RunResult
from attar.execute.prepared import Prepared, prepare, take_up_decisions
from attar.execute.process import asked_to_stop, stop_on_signals
from attar.plan.types import Plan, Stage


def run(plan: Plan, options: RunOptions, on_event: OnEvent = lambda event: None) -> RunResult:
    """Runs a checked plan. Running the same plan again goes on where it stopped and repeats no paid call.

    Args:
        plan: from `attar.plan.check`.
        options: how to run it.
        on_event: told what happens; called from this thread and from the one that watches progress.

    Returns:
        how it ended; results.json in the run's folder holds the same.

    Raises:
        AttarError: a mistake found before anything ran (the folder is locked, a model has no server, …).
    """
    from attar.store.lock import OwnerLock

    prepared = prepare(plan, options)
    workspace = prepared.workspace
    on_event = telling_plugins(on_event)
    with OwnerLock(workspace.lock_path):
        if options.fresh:
            workspace.set_aside()
        workspace.clean_leftovers()
        # Again, now that nobody else can decide anything: what is walked and what is stamped must be the same.
        return _Run(take_up_decisions(prepared), options, on_event).go()


def telling_plugins(on_event: OnEvent) -> OnEvent:
    """Hands every event to the plugins' `attar_event`, too; one that raises is told of no more, and named once."""
    from attar.registry import Registry

    registry = Registry.load()

    def tell(event: Mapping[str, Any]) -> None:
        on_event(event)
        for plugin in registry.send_event(event):
            text = (
                f"plugin {plugin.name!r} ({plugin.distribution}) failed on an event and is told no more: {plugin.error}"
            )
            on_event({"type": "notice", "text": text})

    return tell


@dataclass(slots=True)
class _Run:
    prepared: Prepared
    options: RunOptions
    on_event: OnEvent
    started: float = field(default_factory=time.monotonic)
    stages: list[dict[str, Any]] = field(default_factory=list)
    records: list[Mapping[str, Any]] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    answers: Answers = field(default_factory=Answers)
    sums: Checksums = field(init=False)

    def __post_init__(self) -> None:
        self.sums = Checksums(self.path)

    @property
    def plan(self) -> Plan:
        return self.prepared.plan

    @property
    def path(self) -> Path:
        return self.prepared.run_folder

    def go(self) -> RunResult:
        prepared = self.prepared
        prepared.run_folder.mkdir(parents=True, exist_ok=True)
        reuse = prepared.reusable()  # before the manifest tells which decisions were taken up
        self._manifest()
        self.on_event(
            {
                "type": "run_started",
                "recipe": self.plan.recipe,
                "run": prepared.run_name,
                "path": str(self.path),
                "stages": [
                    {
                        "index": s.index,
                        "steps": list(s.steps),
                        "reused": reuse[s.index] is None,
                        "why": reuse[s.index] or "",
                    }
                    for s in self.plan.stages
                ],
                "backends": prepared.backends(),
            }
        )
        for text in prepared.gate_notices():
            self.on_event({"type": "notice", "text": text})
        stop_file = self.prepared.workspace.folder / "stop"
        why: list[str] = []
        outcome: Outcome
        try:
            with stop_on_signals(stop_file, lambda text: self.on_event({"type": "notice", "text": text})):
                self._stages(reuse, stop_file)
                self._publish()
            outcome = "done"
        except (Interrupted, KeyboardInterrupt):
            outcome = "interrupted"
            why.append("interrupted; run the same command again to go on: answers received so far are kept")
        except AttarError as error:
            if error.exit_code == 2:
                raise
            outcome = "failed"
            why += [f"{d.message}{'; ' + d.help if d.help else ''}" for d in error.diagnostics]
        return self._finish(outcome, why)

    # -- stages ------------------------------------------------------------------------------------------------

    def _stages(self, reuse: Mapping[int, str | None], stop_file: Path) -> None:
        from attar.execute.running import StageRunner
        from attar.store.journal import build_index

        prepared = self.prepared
        build_index(prepared.workspace.journal)
        todo = [stage for stage in self.plan.stages if reuse[stage.index] is not None]
        with prepared.servers(todo, self.on_event) as served:
            runner = StageRunner(prepared, self.options, served, self.on_event, stop_file)
            for stage in self.plan.stages:
                if asked_to_stop():
                    raise Interrupted
                self._stage(stage, runner, reused=reuse[stage.index] is None)

    def _stage(self, stage: Stage, runner: Any, *, reused: bool) -> None:
        began = time.monotonic()
        record: Mapping[str, Any]
        if reused:  # paid by an earlier run: this one pays nothing for it
            record = {**(self.prepared.finished_stage(stage) or {}), "usage": {}}
        else:
            try:
                record = runner.run(stage)
            except (Interrupted, AttarError):
                self.records.append(runner.unfinished())
                raise
        seconds = 0.0 if reused else time.monotonic() - began
        self.records.append(record)
        rows = sum(record["rows"].values())
        note = {
            "index": stage.index,
            "steps": list(stage.steps),
            "fingerprint": stage.fingerprint,
            "reused": reused,
            "seconds": round(seconds, 3),
            "rows": rows,
        }
        self.stages.append(note)
        self.on_event({"type": "stage_finished", **note})

    def _publish(self) -> None:
        from attar.execute.outputs import publish

        self.outputs = publish(self.prepared, self.on_event, self.sums, self.answers)

    # -- the end -----------------------------------------------------------------------------------------------

    def _manifest(self) -> None:
        from attar.execute.outputs import manifest
        from attar.store.workspace import write_json_atomic

        write_json_atomic(self.path / "manifest.json", manifest(self.prepared))
        self.prepared.workspace.set_latest(self.prepared.run_name)

    def _card(self, results: Mapping[str, Any]) -> None:
        """Leaves the card and the checksums; neither is touched where it says so already."""
        from attar.artifact.card import NAME, card_text
        from attar.execute.outputs import manifest
        from attar.store.files import write_bytes_atomic

        text = card_text(self.plan, manifest(self.prepared), results).encode()
        path = self.path / NAME
        self.sums.cover_bytes(NAME, text)
        if not path.is_file() or path.read_bytes() != text:
            write_bytes_atomic(path, text)
        self.sums.write()

    def _finish(self, outcome: Outcome, why: list[str]) -> RunResult:
        from attar.execute.outputs import summarise
        from attar.store.workspace import write_json_atomic

        results = summarise(self.prepared, self.records, self.outputs)
        unbalanced = results.pop("unbalanced")
        published = outcome == "done"
        if published:
            short = results.pop("short")
            if unbalanced:
                outcome, why = "failed", [*why, *unbalanced]
            elif short:
                outcome, why = "fell_short", [*why, *short]
        else:
            results.pop("short")
        results = {
            "attar": __version__,
            "recipe": self.plan.recipe,
            "run": self.prepared.run_name,
            "outcome": outcome,
            "exit_code": EXIT_CODES[outcome],
            "why": why,
            "seconds": round(time.monotonic() - self.started, 3),
            **results,
            "answers": self.answers.summed({name: m.spec.prices for name, m in self.prepared.served.items()}),
            "stages": self.stages,
        }
        if published:
            self._card(results)
        write_json_atomic(self.path / "results.json", results)
        self.on_event(
            {
                "type": "run_finished",
                "outcome": outcome,
                "exit_code": EXIT_CODES[outcome],
                "results": results,
                "path": str(self.path),
            }
        )
        return RunResult(outcome, EXIT_CODES[outcome], results, self.path)
