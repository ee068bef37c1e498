"""Models and params of a recipe: known backends, and names that nothing uses."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attar.errors import Diagnostic
from attar.plan.draft import Draft
from attar.plan.faults import Faults
from attar.recipe.loaded import LoadedRecipe
from attar.registry import Registry, suggest

OWN_BACKENDS = ("auto", "endpoint", "rehearsal", "vllm")


def check_models(loaded: LoadedRecipe, registry: Registry, faults: Faults) -> None:
    """Every model has a backend that exists."""
    for name, spec in loaded.models.items():
        file, path = loaded.model_paths[name]
        if spec.backend not in OWN_BACKENDS:
            known = [*OWN_BACKENDS, *registry.backends()]
            if spec.backend not in known:
                place = (*path, "backend")
                message = f"no backend {spec.backend!r}"
                span = loaded.places.value(file, place)
                faults.add(Diagnostic("E631", message, span, suggest(spec.backend, known, "backends"), place))


def report_unused(loaded: LoadedRecipe, drafts: Mapping[str, Draft], faults: Faults) -> None:
    """Warns of models that no step uses (models that others extend aside)."""
    used = {name for draft in drafts.values() for name in draft.models}
    extended = {spec.extends for spec in loaded.models.values() if spec.extends}
    for name in loaded.models:
        short = name.rpartition(".")[2]
        if name in used or name in extended or short in extended or "." in name:
            continue
        file, path = loaded.model_paths[name]
        span = loaded.places.key(file, path)
        found = Diagnostic("W630", f"no step uses model {name!r}", span, "remove it", path, "warning")
        faults.add(found)


def report_unused_params(loaded: LoadedRecipe, drafts: Mapping[str, Draft], faults: Faults) -> None:
    """Warns of params that neither the recipe nor a prompt reads: setting one would change nothing."""
    document = getattr(loaded.places, "documents", {}).get(loaded.file)
    if document is None:
        return
    prompts = {text.file: text for draft in drafts.values() for _, _, text in draft.prompts}.values()
    sources = [document.text, *("\n".join([*(p.text for p in t.parts), t.rehearse or ""]) for t in prompts)]
    for name in loaded.params:
        word = re.compile(rf"\bparams\s*(\.\s*{re.escape(name)}\b|\[)")
        if any(word.search(source) for source in sources):
            continue
        span = loaded.places.key(loaded.file, ("params", name))
        help = f"read it as ${{params.{name}}}, or remove it"
        found = Diagnostic("W230", f"nothing reads param {name!r}", span, help, ("params", name), "warning")
        faults.add(found)
