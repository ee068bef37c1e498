"""Steps that ask a language model: generate, judge, compare, classify, extract."""

from __future__ import annotations

from collections.abc import Mapping

from attar.api import hookimpl


class Plugin:
    """The plugin as the engine sees it; nothing is imported before a recipe uses it."""

    @hookimpl
    def attar_steps(self) -> Mapping[str, str]:
        return {
            "generate": "attar_llm.generate:Generate",
            "judge": "attar_llm.judge:RubricJudge",
            "pairwise": "attar_llm.pairwise:Pairwise",
            "classify": "attar_llm.classify:Classify",
            "extract": "attar_llm.extract:Extract",
        }


plugin = Plugin()
