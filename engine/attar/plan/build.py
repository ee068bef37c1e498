"""From a loaded recipe and the installed plugins to a plan: every mistake at once, or a graph ready to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from attar.api import ConfigProblem
from attar.errors import Diagnostic
from attar.plan.columns import Flow
from attar.plan.configs import draft_steps
from attar.plan.draft import Draft
from attar.plan.faults import Faults
from attar.plan.files import Files
from attar.plan.graph import connect, edges_of, find_cycles, report_unreachable, topological
from attar.plan.models import check_models, report_unused, report_unused_params
from attar.plan.outputs import Outputs
from attar.plan.regions import plan_retries, waits
from attar.plan.stages import Cut, can_batch, cut, in_order
from attar.plan.types import Gate, GateRule, Plan, PlannedOutput, PlannedStep, Stage
from attar.recipe.loaded import LoadedRecipe, YamlPath
from attar.registry import Registry


def build(
    loaded: LoadedRecipe,
    registry: Registry,
    limit: int | None = None,
    *,
    fingerprints: bool = True,
    told: Sequence[Diagnostic] = (),
    gates: GateRule = "stop",
) -> tuple[Plan | None, list[Diagnostic]]:
    """Plans a recipe.

    Args:
        loaded: from `recipe.load`.
        registry: the plugins.
        limit: first n records of each source, where the run asks for fewer.
        fingerprints: False leaves every fingerprint (and the digest) empty; no source file is then read as a whole.
        told: what `recipe.load` found; what follows from it is not told again.
        gates: what a model's unmet requirement is: an error, a warning (`note`), or only kept in the plan (`later`)
            for `execute`, which knows the backend. On a model whose backend is rehearsal it is never an error.

    Returns:
        The plan, None where anything is an error, and all diagnostics, warnings included.
    """
    faults = Faults(loaded)
    files = Files(registry)
    check_models(loaded, registry, faults)
    holes = _holes(loaded, told)
    drafts = draft_steps(loaded, registry, files, faults, holes)
    outputs = Outputs(loaded, drafts, registry, faults, limit)
    meant = connect(loaded, drafts, faults)
    outputs.connect()
    on_cycle = find_cycles(drafts, faults)
    if not any(one.code == "E105" for one in told):  # of a key that stands twice, one was not looked at
        report_unreachable(drafts, outputs.wanted, on_cycle, meant, faults)
    order = topological(edges_of(drafts))
    stage_of = cut(drafts, order, faults)
    Flow(loaded, drafts, faults).follow(order)
    plan_retries(drafts, order, stage_of, faults)
    planned_outputs = outputs.build()
    found_gates = _gates(loaded, drafts, registry, faults, gates)
    if faults.any_error or any(one.severity == "error" for one in told):
        return None, faults.all()
    report_unused(loaded, drafts, faults)
    report_unused_params(loaded, drafts, faults)
    final = topological(waits(drafts))
    plan = _plan(loaded, registry, limit, drafts, final, stage_of, planned_outputs)
    plan.gates = found_gates
    if fingerprints and not _fingerprint(plan, registry, faults, loaded):
        return None, faults.all()
    return plan, faults.all()


def _gates(
    loaded: LoadedRecipe, drafts: Mapping[str, Draft], registry: Registry, faults: Faults, rule: GateRule
) -> tuple[Gate, ...]:
    """What the recipe requires of its models, judged; unmet requirements are told as the rule says."""
    if not any(spec.requires or spec.evals for spec in loaded.models.values()):
        return ()
    from attar.plan.gates import find_gates  # 5 ms that a recipe without requirements need not pay

    found = find_gates(loaded, drafts, registry, faults)
    for gate in found if rule != "later" else ():
        if gate.problem is not None:
            stops = rule == "stop" and loaded.models[gate.model].backend != "rehearsal"
            faults.add(gate.problem if stops else replace(gate.problem, severity="warning"))
    return found


def _fingerprint(plan: Plan, registry: Registry, faults: Faults, loaded: LoadedRecipe) -> bool:
    """Fingerprints every step; False where a step's config cannot be fingerprinted, or its files cannot be read."""
    from attar.plan.fingerprint import own_part, stamp

    folder = plan.file.absolute().parent
    own = {}
    for name, planned in plan.steps.items():
        step = loaded.steps[name]
        try:
            own[name] = own_part(planned, plan, folder)
        except ConfigProblem as problem:
            faults.problem(step, problem)
        except Exception as error:
            message = f"step {step.use!r} cannot be fingerprinted: {type(error).__name__}: {error}"
            faults.step(step, ("use",), "E309", message, "this is a fault of the plugin, or of a file it reads")
    if faults.any_error:
        return False
    plan.own = own
    plan.plugins = {name: {**facts, "digest": registry.digest(name)} for name, facts in plan.plugins.items()}
    stamp(plan)
    return True


def _holes(loaded: LoadedRecipe, told: Sequence[Diagnostic]) -> set[YamlPath]:
    """Paths of values (or of whole steps) that could not be filled in, because of a fault in a param."""
    found = {one.path for one in told if one.code.startswith("E21") and one.path}
    if found:
        found |= {s.path for s in loaded.steps.values() if _has_hole(s.with_) or _has_hole(s.refs)}
    return found


def _has_hole(value: Any) -> bool:
    if isinstance(value, str):
        return "${params." in value
    if isinstance(value, Mapping):
        return any(_has_hole(item) for item in value.values())
    return isinstance(value, list) and any(_has_hole(item) for item in value)


def _plan(
    loaded: LoadedRecipe,
    registry: Registry,
    limit: int | None,
    drafts: Mapping[str, Draft],
    order: Sequence[str],
    stage_of: Mapping[str, Cut],
    outputs: Mapping[str, PlannedOutput],
) -> Plan:
    steps = {name: _planned(drafts[name]) for name in order}
    stages = _stages(drafts, order, stage_of, outputs)
    for stage in stages:
        for name in stage.steps:
            steps[name].stage = stage.index
    namespaces = {draft.loaded.use.partition(".")[0] for draft in drafts.values()}
    namespaces |= {registry.provider("exporters", output.format) for output in outputs.values()}
    plugins = {}
    for name in sorted(namespaces):
        info = registry.info(name)
        plugins[name] = {"distribution": info.distribution, "version": info.version}
    return Plan(
        recipe=loaded.name,
        file=loaded.file,
        description=loaded.description,
        seed=loaded.seed,
        params=loaded.params,
        models=loaded.models,
        steps=steps,
        stages=stages,
        outputs=outputs,
        digest="",
        secrets=loaded.secrets,
        limit=limit,
        plugins=plugins,
        order=tuple(order),
        card=loaded.card,
    )


def _planned(draft: Draft) -> PlannedStep:
    assert draft.step is not None and draft.kind is not None
    assert draft.incoming is not None and draft.columns is not None, draft.name
    return PlannedStep(
        name=draft.name,
        use=draft.loaded.use,
        kind=draft.kind,
        step=draft.step,
        inputs=draft.inputs,
        when=draft.loaded.when,
        on_fail=draft.loaded.on_fail,
        reads=draft.reads,
        incoming=draft.incoming,
        columns=draft.columns,
        scope=draft.scope,
        side=dict(draft.side),
        retry_region=draft.region,
        models=draft.models,
        params=draft.loaded.params,
    )


def _stages(
    drafts: Mapping[str, Draft], order: Sequence[str], stage_of: Mapping[str, Cut], outputs: Mapping[str, PlannedOutput]
) -> list[Stage]:
    stages = in_order(stage_of)
    number = {id(stage): index for index, stage in enumerate(stages)}
    stored = {output.step for output in outputs.values()}
    stored.update(side for draft in drafts.values() for side in draft.side.values())
    for stage in stages:
        stored.update(stage.inputs)
    place = {name: index for index, name in enumerate(order)}
    built = []
    for index, stage in enumerate(stages):
        names = tuple(sorted(stage.steps, key=place.__getitem__))
        stage.steps = list(names)
        if stage.kind == "rows":
            taps = tuple(name for name in names if name in stored)
        else:
            taps = names if stage.kind in ("dataset", "merge") else ()
        needs = tuple(sorted({number[id(other)] for other in stage.needs}))
        batch = can_batch(stage, drafts)
        built.append(Stage(index, stage.kind, names, stage.inputs, taps, "", needs, batch))
    return built
