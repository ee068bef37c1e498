"""A stage's row steps, compiled once per process: what runs after what, what may run at once, what loops.

A *scope* is all steps that handle the same row id; an expanding step opens a new scope for its children. Within a scope
the steps form a graph; retry regions that overlap are contracted into one Loop. What remains is walked row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from attar.api import Judge, RowStep, Source, Step
from attar.plan.types import Plan, PlannedStep, Stage
from attar.recipe.expressions import compile_expression
from attar.recipe.language import OnFail

NO_POLICY = OnFail()


@dataclass(slots=True)
class Node:
    """One step as the walk needs it.

    Attributes:
        inputs: names of the steps (or the stage's input) whose columns it gets, merged in order.
        added: columns it makes, in order; the first is its main column.
        leaving: all columns that leave.
        project: all columns that leave, where it also drops some; None where it only adds.
        lineage: names of the steps before it in the stage and itself, in topological order.
    """

    name: str
    step: Step[Any]
    kind: str
    inputs: tuple[str, ...]
    when: Callable[[Mapping[str, Any]], Any] | None
    policy: OnFail
    region: tuple[str, ...]
    added: tuple[str, ...]
    leaving: frozenset[str]
    project: tuple[str, ...] | None
    expands: bool
    side: Mapping[str, str]
    lineage: tuple[str, ...] = ()


@dataclass(slots=True)
class Loop:
    """Nodes that run again together, in topological order."""

    nodes: tuple[Node, ...]
    index: Mapping[str, int]
    below: Mapping[str, frozenset[str]]
    """target → names in this loop that depend on it, itself included."""


@dataclass(slots=True)
class Block:
    """The work of one scope. `after[i]` are positions of the items that item i waits for."""

    items: tuple[Node | Loop, ...]
    after: tuple[tuple[int, ...], ...]
    linear: bool
    order: tuple[Node, ...]
    """Every node of the scope in topological order: the order in which outcomes are reported."""


@dataclass(slots=True)
class Program:
    """A compiled stage. `root` is the step whose rows enter: the source, or the step whose finished output is read."""

    root: str
    source: Node | None
    blocks: Mapping[str, Block]
    taps: Mapping[str, tuple[str, ...]]
    """scope → steps of that scope whose rows are written out."""
    nodes: Mapping[str, Node] = field(default_factory=dict)


def compile_stage(plan: Plan, stage: Stage) -> Program:
    """Compiles a stage of kind "rows"."""
    names = list(stage.steps)
    first = plan.steps[names[0]]
    source = first.kind == "source"
    root = names[0] if source else stage.inputs[0]
    nodes = {name: _node(plan.steps[name]) for name in names}
    scope_of_output: dict[str, str] = {root: root}
    members: dict[str, list[Node]] = {root: []}
    for name in names:
        node = nodes[name]
        scope = root if source and name == root else scope_of_output[node.inputs[0]]
        members[scope].append(node)
        scope_of_output[name] = name if node.expands else scope
        if node.expands:
            members[name] = []
        node.lineage = _lineage(node, nodes, names)
    taps: dict[str, tuple[str, ...]] = {}
    for scope in members:
        taps[scope] = tuple(tap for tap in stage.taps if scope_of_output[tap] == scope)
    blocks = {scope: _block(scope, part, source_name=root if source else None) for scope, part in members.items()}
    return Program(root, nodes[root] if source else None, blocks, taps, nodes)


def _node(planned: PlannedStep) -> Node:
    step = planned.step
    gone = [c for c in planned.incoming if c not in planned.columns]
    added = tuple(c for c in planned.columns if c not in planned.incoming)
    if not added and isinstance(step, RowStep | Judge):  # a later round of a repeat writes its columns again
        added = tuple(c for c in planned.columns if c in step.rewrites)
    return Node(
        name=planned.name,
        step=step,
        kind=planned.kind,
        inputs=planned.inputs,
        when=compile_expression(planned.when) if planned.when else None,
        policy=planned.on_fail or NO_POLICY,
        region=planned.retry_region,
        added=added,
        leaving=frozenset(planned.columns),
        project=tuple(planned.columns) if gone else None,
        expands=isinstance(step, RowStep) and step.expands,
        side=planned.side,
    )


def _lineage(node: Node, nodes: Mapping[str, Node], order: Sequence[str]) -> tuple[str, ...]:
    seen = {node.name}
    waiting = list(node.inputs)
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in seen:
            seen.add(name)
            waiting.extend(nodes[name].inputs)
    return tuple(name for name in order if name in seen)


def _block(scope: str, nodes: list[Node], source_name: str | None) -> Block:
    del scope
    by_name = {node.name: node for node in nodes}
    groups = _merge_regions([set(n.region) for n in nodes if n.region])
    group_of = {name: i for i, group in enumerate(groups) for name in group}
    items: list[Node | Loop] = []
    item_of: dict[str, int] = {}
    # A loop stands where its last node stands: by then everything it reads is there.
    last = {i: [node.name for node in nodes if node.name in group][-1] for i, group in enumerate(groups)}
    for node in nodes:
        group = group_of.get(node.name)
        if group is None:
            if node.name == source_name:
                continue  # its rows arrive already made
            item_of[node.name] = len(items)
            items.append(node)
        elif last[group] == node.name:
            members = tuple(n for n in nodes if n.name in groups[group])
            for member in members:
                item_of[member.name] = len(items)
            items.append(_loop(members))
    items, item_of = _in_order(items, item_of)
    after = []
    for i, item in enumerate(items):
        parts = item.nodes if isinstance(item, Loop) else (item,)
        before = {item_of[name] for part in parts for name in part.inputs if name in by_name and name in item_of}
        after.append(tuple(sorted(before - {i})))
    linear = all(deps == ((i - 1,) if i else ()) for i, deps in enumerate(after))
    return Block(tuple(items), tuple(after), linear, tuple(nodes))


def _in_order(items: list[Node | Loop], item_of: dict[str, int]) -> tuple[list[Node | Loop], dict[str, int]]:
    """Sorts items so that each comes after those it reads from (a loop may stand after a step that reads from it)."""
    needs: list[set[int]] = []
    for i, item in enumerate(items):
        parts = item.nodes if isinstance(item, Loop) else (item,)
        needs.append({item_of[name] for part in parts for name in part.inputs if name in item_of} - {i})
    done: list[int] = []
    while len(done) < len(items):
        ready = next(i for i in range(len(items)) if i not in done and needs[i] <= set(done))
        done.append(ready)
    place = {old: new for new, old in enumerate(done)}
    return [items[i] for i in done], {name: place[i] for name, i in item_of.items()}


def _loop(nodes: tuple[Node, ...]) -> Loop:
    below: dict[str, frozenset[str]] = {}
    for start in nodes:
        reached = {start.name}
        for node in nodes:
            if reached.intersection(node.inputs):
                reached.add(node.name)
        below[start.name] = frozenset(reached)
    return Loop(nodes, {node.name: i for i, node in enumerate(nodes)}, below)


def _merge_regions(regions: list[set[str]]) -> list[set[str]]:
    groups: list[set[str]] = []
    for region in regions:
        touching = [group for group in groups if group & region]
        for group in touching:
            groups.remove(group)
            region = region | group
        groups.append(set(region))
    return groups


__all__ = ["Block", "Loop", "Node", "Program", "Source", "compile_stage"]
