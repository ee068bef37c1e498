"""What stands before a run starts: which backends serve the models, where everything goes, what can be reused."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from attar.execute.options import OnEvent, RunOptions
from attar.execute.process import asked_to_stop
from attar.plan.types import Plan, Stage

if TYPE_CHECKING:
    from attar.models import ServedModel
    from attar.store.decisions import Stand
    from attar.store.workspace import Workspace


@dataclass(slots=True)
class Prepared:
    """A plan with its backends chosen and its folders named. `plan` is stamped: rehearsed and real data never mix."""

    plan: Plan
    served: Mapping[str, ServedModel]
    workspace: Workspace
    stands: Mapping[str, Stand] = field(default_factory=dict)
    """judge → how far people's decisions on the rows it laid aside have come; part of the fingerprints"""

    @property
    def run_name(self) -> str:
        return self.run_folder.name

    @property
    def run_folder(self) -> Path:
        return self.workspace.run(self.plan.digest)

    @property
    def rehearsal(self) -> bool:
        return any(model.kind == "rehearsal" for model in self.served.values())

    def stage_folder(self, stage: Stage) -> Path:
        return self.workspace.stage(stage.fingerprint)

    def table(self, step: str) -> Path:
        """Folder of a step's finished output."""
        planned = self.plan.steps[step]
        return self.stage_folder(self.plan.stages[planned.stage]) / "out" / "taps" / step

    def finished_stage(self, stage: Stage) -> Mapping[str, Any] | None:
        """The closing record of a stage that ran to its end, or None."""
        try:
            record: Mapping[str, Any] = orjson.loads((self.stage_folder(stage) / "stage.json").read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return None
        return record

    def reusable(self) -> dict[int, str | None]:
        """For each stage, None where its finished output can be used again, else why it has to run."""
        reasons: dict[int, str | None] = {}
        for stage in self.plan.stages:
            record = self.finished_stage(stage)
            again = [self.plan.stages[i].steps[-1] for i in stage.needs if reasons[i] is not None]
            if again:
                reasons[stage.index] = f"runs again after {', '.join(again)}"
            elif record is None:
                started = (self.stage_folder(stage) / "ranks").exists()
                decided = self._decided_since(stage)
                if started:
                    reasons[stage.index] = "was interrupted"
                elif decided:
                    reasons[stage.index] = f"{decided} review decision{'s' * (decided != 1)} since"
                else:
                    reasons[stage.index] = "never ran with this recipe and input"
            elif record["transport"]:
                reasons[stage.index] = f"{record['transport']} rows could not reach the model's server last time"
            else:
                reasons[stage.index] = None
        return reasons

    def gate_notices(self) -> list[str]:
        """What to say before a rehearsal of models that have not passed what is required of them."""
        said = [f"model {g.model}: {g.problem.message}" for g in self.plan.gates if g.problem is not None]
        last = "A rehearsal asks no model, so this stops nothing; a run with the model would stop."
        return [*said, last] if said else []

    def _decided_since(self, stage: Stage) -> int:
        """How many decisions on rows of a stage's judges were made since this run last took them up."""
        try:
            manifest = orjson.loads((self.run_folder / "manifest.json").read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return 0  # this run never was: there is a better reason
        before = manifest.get("decisions", {})
        return sum(
            max(0, stand.made - before.get(step, {"made": 0})["made"])
            for step, stand in self.stands.items()
            if step in stage.steps
        )

    def backends(self) -> dict[str, dict[str, str]]:
        return {
            name: {"backend": model.kind, "why": model.why, "url_from": model.url_from}
            for name, model in self.served.items()
        }

    @contextmanager
    def servers(self, todo: Sequence[Stage], on_event: OnEvent) -> Iterator[Mapping[str, ServedModel]]:
        """Starts the servers that the stages to run need; they end with the block, and with this process."""
        used = {model for stage in todo for step in stage.steps for model in self.plan.steps[step].models}
        own = {name: self.served[name] for name in used if self.served[name].kind == "vllm"}
        if not own:
            yield self.served
            return
        from attar.models.guard import Guard
        from attar.models.servers import start_servers

        logs = self.workspace.folder / "servers"
        with Guard.start() as guard:
            servers = start_servers(own, folder=logs, guard=guard, on_event=on_event, stopping=asked_to_stop)
            with servers as started:
                yield {**self.served, **started}


def prepare(plan: Plan, options: RunOptions) -> Prepared:
    """Chooses backends and stamps the plan.

    Raises:
        AttarError: a model has no backend that can serve it here.
    """
    from attar.models import resolve
    from attar.models.secrets import resolve_text
    from attar.registry import Registry
    from attar.store.workspace import Workspace

    used = {model for step in plan.steps.values() for model in step.models}
    registry = Registry.load()
    backends = {name: import_path(registry.backend(name)) for name in registry.backends()}
    served = dict(resolve(plan.models, used, options.backend, os.environ, backends=backends))
    if options.in_flight is not None:
        for name, model in served.items():
            served[name] = replace(model, spec=model.spec.model_copy(update={"in_flight": options.in_flight}))
    demand_gates(plan, served)
    for name, model in served.items():  # before anything is moved or started
        for text in (model.url, model.key, *model.headers.values()):
            resolve_text(text or "", os.environ, name)
    return take_up_decisions(Prepared(plan, served, Workspace(options.runs, plan.recipe)))


def take_up_decisions(prepared: Prepared) -> Prepared:
    """The plan stamped anew with the decisions that people have made by now on rows that waited for review."""
    from attar.plan.fingerprint import restamp
    from attar.store.decisions import stands

    plan = prepared.plan
    salt = {name: "rehearsal" if model.kind == "rehearsal" else "real" for name, model in prepared.served.items()}
    found = {step: stand for step, stand in stands(prepared.workspace.journal).items() if step in plan.steps}
    stamped = restamp(plan, salt, {step: stand.digest for step, stand in found.items()})
    return replace(prepared, plan=stamped, stands=found)


def demand_gates(plan: Plan, served: Mapping[str, ServedModel]) -> None:
    """Demands that every model that will really answer has passed what the recipe requires of it.

    Raises:
        AttarError: E64x, one diagnostic per requirement that is not met, at its place in the recipe.
    """
    from attar.errors import AttarError

    unmet = [g.problem for g in plan.gates if g.problem is not None and served[g.model].kind != "rehearsal"]
    if unmet:
        raise AttarError(list({(one.code, one.message, one.span): one for one in unmet}.values()))


def import_path(found: type) -> str:
    """`module:name` of a class, as worker processes import it."""
    return f"{found.__module__}:{found.__qualname__}"
