"""The graph of a recipe: who reads whom, in which order, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attar.plan.draft import Draft
from attar.plan.faults import Faults
from attar.recipe.loaded import LoadedRecipe
from attar.registry import nearest, suggest

Edges = Mapping[str, Sequence[str]]


def connect(loaded: LoadedRecipe, drafts: Mapping[str, Draft], faults: Faults) -> dict[str, str]:
    """Sets each draft's inputs and checks `from` against the kind of step.

    Returns:
        Unknown names → what was probably meant, so that one misspelling does not make other steps look unreachable.
    """
    meant: dict[str, str] = {}
    for draft in drafts.values():
        step = draft.loaded
        good: list[str] = []
        for number, name in enumerate(step.inputs):
            place: tuple[str | int, ...] = ("from", number) if len(step.inputs) > 1 else ("from",)
            if name not in loaded.steps:
                near = nearest(name, loaded.steps)
                if near is not None:
                    meant[name] = near
                help = suggest(name, loaded.steps, "steps")
                faults.step(step, place, "E401", f"no step {name!r} in this recipe", help)
            elif drafts[name].kind == "sink":
                faults.step(
                    step, place, "E407", f"step {name!r} writes files and hands on no rows", "read a step before it"
                )
            elif name in good:
                faults.step(step, place, "E406", f"step {name!r} is named twice in `from`", "name it once")
            else:
                good.append(name)
        draft.inputs = tuple(good)
        _check_from(draft, faults)
        if step.on_fail is not None and draft.kind not in ("judge", None):
            faults.step(
                step,
                ("on_fail",),
                "E420",
                f"`on_fail` belongs to judges; {step.use!r} is a {describe(draft)}",
                "put it on the judge that fails the row",
                key=True,
            )
    return meant


def _check_from(draft: Draft, faults: Faults) -> None:
    step, kind = draft.loaded, draft.kind
    if kind is None:
        return
    if kind == "source" and step.inputs:
        faults.step(
            step, ("from",), "E404", f"{step.use!r} makes rows itself and takes no `from`", "remove `from`", key=True
        )
        draft.inputs = ()
    elif kind != "source" and not step.inputs:
        help = f"add `from: <step>`; {step.use!r} is a {describe(draft)} and needs rows"
        faults.step(step, (), "E405", f"step {step.name!r} has no `from`", help, key=True)
    elif len(step.inputs) > 1 and kind not in ("row", "judge", "merge"):
        faults.step(
            step,
            ("from",),
            "E406",
            f"{step.use!r} reads one step, found {len(step.inputs)} in `from`",
            "put std.union or std.join before it",
        )


def describe(draft: Draft) -> str:
    """A step's kind in words."""
    words = {"row": "row step", "dataset": "dataset step", "merge": "merging step", "sink": "writing step"}
    return words.get(draft.kind or "", draft.kind or "step")


def edges_of(drafts: Mapping[str, Draft]) -> dict[str, tuple[str, ...]]:
    """Step → steps that must come before it: its inputs and its side tables."""
    return {
        name: tuple(dict.fromkeys([*draft.inputs, *(s for s in draft.side.values() if s in drafts)]))
        for name, draft in drafts.items()
    }


def find_cycles(drafts: Mapping[str, Draft], faults: Faults) -> set[str]:
    """Reports every cycle by all its steps, and returns the steps that stand on one."""
    edges = edges_of(drafts)
    on_cycle: set[str] = set()
    for group in _components(edges):
        if len(group) == 1 and group[0] not in edges[group[0]]:
            continue
        on_cycle.update(group)
        cycle = _walk_cycle(group, edges, list(drafts))
        first = drafts[cycle[0]].loaded
        shown = " → ".join([*cycle, cycle[0]])
        place = ("from",) if first.inputs else ("index",)
        what = f"step {cycle[0]!r} reads itself" if len(cycle) == 1 else f"steps read each other in a circle: {shown}"
        faults.step(first, place, "E402", what, "let one of them read an earlier step")
    return on_cycle


def _walk_cycle(group: Sequence[str], edges: Edges, order: Sequence[str]) -> list[str]:
    """One whole cycle within a strongly connected group, in the direction the rows would flow."""
    start = min(group, key=order.index)
    inside = set(group)
    came: dict[str, str] = {}
    waiting = [start]
    while waiting:  # breadth first over "is read by", so that the shortest cycle is shown
        here = waiting.pop(0)
        for other in sorted((n for n in inside if here in edges[n]), key=order.index):
            if other == start:
                path = [here]
                while path[-1] != start:
                    path.append(came[path[-1]])
                return path[::-1]
            if other not in came:
                came[other] = here
                waiting.append(other)
    return [start]


def _components(edges: Edges) -> list[list[str]]:
    """Strongly connected components (Tarjan), without recursion: a recipe may be thousands of steps long."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    held: set[str] = set()
    found: list[list[str]] = []
    for root in edges:
        if root in index:
            continue
        work: list[tuple[str, int]] = [(root, 0)]
        while work:
            node, at = work.pop()
            if at == 0:
                index[node] = low[node] = len(index)
                stack.append(node)
                held.add(node)
            following = edges[node]
            advanced = False
            for position in range(at, len(following)):
                other = following[position]
                if other not in index:
                    work += [(node, position + 1), (other, 0)]
                    advanced = True
                    break
                if other in held:
                    low[node] = min(low[node], index[other])
            if advanced:
                continue
            if low[node] == index[node]:
                group = []
                while True:
                    member = stack.pop()
                    held.discard(member)
                    group.append(member)
                    if member == node:
                        break
                found.append(group)
            if work:
                parent = work[-1][0]
                low[parent] = min(low[parent], low[node])
    return found


def topological(edges: Edges) -> list[str]:
    """Names so that each comes after those it needs, otherwise in the order given; names on cycles are left out."""
    import heapq

    place = {name: number for number, name in enumerate(edges)}
    needs = {name: len({other for other in before if other in place}) for name, before in edges.items()}
    readers: dict[str, list[str]] = {name: [] for name in edges}
    for name, before in edges.items():
        for other in set(before):
            if other in readers:
                readers[other].append(name)
    ready = [place[name] for name, count in needs.items() if count == 0]
    heapq.heapify(ready)
    names = list(edges)
    order: list[str] = []
    while ready:
        name = names[heapq.heappop(ready)]
        order.append(name)
        for reader in readers[name]:
            needs[reader] -= 1
            if needs[reader] == 0:
                heapq.heappush(ready, place[reader])
    return order


def ancestors(name: str, edges: Edges) -> set[str]:
    """All that a step needs, directly or not; without itself."""
    found: set[str] = set()
    waiting = list(edges.get(name, ()))
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            waiting.extend(edges.get(here, ()))
    return found


def report_unreachable(
    drafts: Mapping[str, Draft], wanted: Iterable[str], on_cycle: set[str], meant: Mapping[str, str], faults: Faults
) -> None:
    """A step that no output, sink or side table needs would be paid for nothing."""
    if on_cycle or faults.has("E405"):
        return  # mending a circle, or a missing `from`, changes who needs whom
    edges = {
        name: [*draft.inputs, *draft.side.values(), *(meant[n] for n in draft.loaded.inputs if n in meant)]
        for name, draft in drafts.items()
    }
    needed: set[str] = set()
    for name in [*wanted, *(name for name, draft in drafts.items() if draft.kind == "sink")]:
        needed |= {name, *ancestors(name, edges)}
    read = {other for before in edges.values() for other in before}
    for name, draft in drafts.items():
        if name in needed or name in read:
            continue
        before = [other for other in ancestors(name, edges) if other not in needed]
        also = f" (nor {', '.join(map(repr, sorted(before, key=list(drafts).index)))} before it)" if before else ""
        faults.step(
            draft.loaded,
            (),
            "E408",
            f"no output needs step {name!r}{also}",
            f"add an output with `from: {name}`, or remove the step",
            key=True,
        )
