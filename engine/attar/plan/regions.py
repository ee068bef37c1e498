"""`on_fail`: whether a row can go back where the recipe sends it, and which steps then run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from attar.api import Judge, Source
from attar.plan.draft import Draft
from attar.plan.faults import Faults
from attar.plan.graph import ancestors
from attar.plan.stages import Cut, leaving_scope
from attar.recipe.language import OnFail
from attar.registry import suggest


def plan_retries(
    drafts: Mapping[str, Draft], order: Sequence[str], stage_of: Mapping[str, Cut], faults: Faults
) -> None:
    """Checks every judge's `on_fail` and sets the draft's retry region."""
    inputs = {name: draft.inputs for name, draft in drafts.items()}
    for name in order:
        draft = drafts[name]
        policy = draft.loaded.on_fail
        if policy is None or draft.kind != "judge":
            continue
        _check_policy(draft, policy, faults)
        if policy.retry is None:
            continue
        target = _target(draft, policy.retry, drafts, inputs, stage_of, faults)
        if target is None:
            continue
        region = _between(target, name, inputs, order)
        draft.region = tuple(region)
        _check_can_change(draft, region, drafts, faults)
        _check_feedback(draft, policy, drafts, faults)
    _check_overlaps(drafts, order, faults)


def _between(target: str, judge: str, inputs: Mapping[str, Sequence[str]], order: Sequence[str]) -> list[str]:
    """All steps on a way from target to judge, both included, in order."""
    before = ancestors(judge, inputs) | {judge}
    behind = {target}
    for name in order:
        if not behind.isdisjoint(inputs[name]):
            behind.add(name)
    return [name for name in order if name in before and name in behind]


def waits(drafts: Mapping[str, Draft]) -> dict[str, tuple[str, ...]]:
    """Step → what must be settled before it runs: what it reads, and the judges that may still send that back."""
    judges_of: dict[str, list[tuple[str, frozenset[str]]]] = {}
    for draft in drafts.values():
        region = frozenset(draft.region)
        for name in draft.region:
            judges_of.setdefault(name, []).append((draft.name, region))
    found = {}
    for name, draft in drafts.items():
        before = [*draft.inputs, *(side for side in draft.side.values() if side in drafts)]
        for read in draft.inputs:
            before += [judge for judge, region in judges_of.get(read, ()) if name not in region]
        found[name] = tuple(dict.fromkeys(before))
    return found


def _check_policy(draft: Draft, policy: OnFail, faults: Faults) -> None:
    step = draft.loaded
    judge = draft.step
    if policy.then == "keep_best" and isinstance(judge, Judge) and not judge.score_names():
        faults.step(
            step,
            ("on_fail", "then"),
            "E426",
            f"`keep_best` needs scores, and judge {step.use!r} gives none",
            "use keep_last, or a judge with scores",
        )
    if policy.avoid is not None:
        if policy.retry is None:
            faults.step(step, ("on_fail", "avoid"), "E427", "`avoid` has no effect without `retry`", key=True)
        elif draft.incoming is not None and policy.avoid not in draft.incoming:
            faults.step(
                step,
                ("on_fail", "avoid"),
                "E501",
                f"no column {policy.avoid!r} arrives at step {step.name!r}",
                suggest(policy.avoid, draft.incoming, "columns"),
            )
    if policy.retry is not None and policy.attempts == 1:
        faults.step(
            step,
            ("on_fail", "attempts"),
            "W420",
            "attempts: 1 is the first try: nothing is tried again",
            "set attempts to 2 or more, or remove retry",
            severity="warning",
        )


def _target(
    draft: Draft,
    name: str,
    drafts: Mapping[str, Draft],
    inputs: Mapping[str, Sequence[str]],
    stage_of: Mapping[str, Cut],
    faults: Faults,
) -> str | None:
    """The step that rows go back to, or None where they cannot."""
    step = draft.loaded
    place = ("on_fail", "retry")
    before = ancestors(draft.name, inputs)
    in_stage = [n for n in before if stage_of[n] is stage_of[draft.name]] if draft.name in stage_of else []
    if name not in drafts:
        faults.step(step, place, "E401", f"no step {name!r} in this recipe", suggest(name, in_stage or drafts, "steps"))
        return None
    if name not in before:
        if draft.incoming is None and not draft.inputs:
            return None  # its own `from` is at fault, and told
        what = "is the judge itself" if name == draft.name else f"is not before judge {draft.name!r}"
        can = [n for n in in_stage if drafts[n].kind in ("row", "judge")]
        help = f"rows can go back to: {', '.join(sorted(can))}" if can else "retry a step that the judge reads from"
        faults.step(step, place, "E421", f"illegal retry: step {name!r} {what}", help)
        return None
    if draft.name not in stage_of or name not in stage_of:
        return None
    target = drafts[name]
    if stage_of[name] is not stage_of[draft.name]:
        between = [
            n for n in before if (n == name or name in ancestors(n, inputs)) and drafts[n].kind in ("dataset", "merge")
        ]
        why = f"step {between[0]!r} needs all rows at once" if between else "its finished output is stored in between"
        faults.step(
            step,
            place,
            "E422",
            f"illegal retry: rows cannot go back to {name!r} through a stage's end, as {why}",
            "retry a step behind it",
        )
        return None
    if target.cls is not None and issubclass(target.cls, Source) and not target.cls.can_redraw():
        behind = [n for n in in_stage if name in drafts[n].inputs]
        help = f"retry {behind[0]!r} instead" if behind else ""
        message = f"illegal retry: source {name!r} ({target.loaded.use}) cannot draw a row anew"
        faults.step(step, place, "E423", message, help)
        return None
    if target.expands or leaving_scope(target) != draft.scope:
        expanding = [n for n in before | {name} if drafts[n].expands and (n == name or name in ancestors(n, inputs))]
        who = expanding[0] if expanding else name
        faults.step(
            step,
            place,
            "E424",
            f"illegal retry: between {name!r} and {draft.name!r} step {who!r} makes several rows of one",
            f"retry a step behind {who!r}",
        )
        return None
    return name


def _check_can_change(draft: Draft, region: Sequence[str], drafts: Mapping[str, Draft], faults: Faults) -> None:
    """A loop in which nothing is drawn anew would fail the same way each time."""
    for name in region:
        member = drafts[name]
        if member.kind == "source" or member.cls is None or member.step is None:
            return  # a redraw changes the row; a step that could not be built is not judged
        if member.kind == "row" and (member.asks or member.cls.varies):
            return
    if not draft.inputs:
        return
    shown = " → ".join(region)
    faults.step(
        draft.loaded,
        ("on_fail", "retry"),
        "E425",
        f"illegal retry: nothing between {region[0]!r} and {draft.name!r} can change the row ({shown}): no step there "
        "asks a model or draws anew",
        "retry the step that makes what the judge looks at",
    )


def _check_feedback(draft: Draft, policy: OnFail, drafts: Mapping[str, Draft], faults: Faults) -> None:
    """Feedback that is asked for in so many words, but that no prompt passes on."""
    if not policy.feedback or "feedback" not in policy.model_fields_set:
        return
    again = [name for name in draft.region if drafts[name].kind != "judge"]
    if not any(drafts[name].prompts for name in again):
        return  # steps without prompts may read it in their own way
    texts = [part.text for name in draft.region for _, _, text in drafts[name].prompts for part in text.parts]
    if any("retry" in text and "feedback" in text for text in texts):
        return
    faults.step(
        draft.loaded,
        ("on_fail", "feedback"),
        "W536",
        f"no prompt between {draft.region[0]!r} and {draft.name!r} reads `retry.feedback`: a next try is not told why",
        "put `{% for note in retry.feedback %}{{ note }}{% endfor %}` into the prompt, or remove `feedback`",
        severity="warning",
    )


def _check_overlaps(drafts: Mapping[str, Draft], order: Sequence[str], faults: Faults) -> None:
    from attar.plan.graph import topological

    judges = [drafts[name] for name in order if drafts[name].region]
    tangled = False
    regions = {judge.name: frozenset(judge.region) for judge in judges}
    for first, second in combinations(judges, 2):
        one, two = regions[first.name], regions[second.name]
        if not one.isdisjoint(two) and not one <= two and not two <= one:
            tangled = True
            shared = ", ".join(name for name in order if name in one & two)
            faults.step(
                second.loaded,
                ("on_fail", "retry"),
                "E428",
                f"illegal retry: the loops of {first.name!r} and {second.name!r} cross (both run {shared} again): "
                "loops must lie one inside the other or apart",
                f"let {second.name!r} read from {first.name!r}, and retry the same step or one behind {first.name!r}",
            )
    if tangled:
        return
    graph = waits(drafts)
    settled = set(topological({name: graph[name] for name in order}))
    stuck = [judge for judge in judges if judge.name not in settled]
    if stuck:
        names = " and ".join(repr(judge.name) for judge in stuck)
        faults.step(
            stuck[-1].loaded,
            ("on_fail", "retry"),
            "E429",
            f"illegal retry: the loops of {names} wait for each other",
            "let one loop read only what stands before the other",
        )
