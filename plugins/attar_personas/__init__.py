"""Steps that rewrite personas and write from their point of view."""

from __future__ import annotations

from collections.abc import Mapping

from attar.api import hookimpl


class Plugin:
    """The plugin as the engine sees it; nothing is imported before a recipe uses it."""

    @hookimpl
    def attar_steps(self) -> Mapping[str, str]:
        return {
            "cap": "attar_personas.release.cap:Cap",
            "labelled": "attar_personas.indianization.labels:Labelled",
            "normalise_domain": "attar_personas.release.labels:NormaliseDomain",
            "check_labelled": "attar_personas.indianization.labels:CheckLabelled",
            "domains": "attar_personas.indianization.domains:Domains",
            "check_question": "attar_personas.indianization.question:CheckQuestion",
            "check_merged": "attar_personas.distillation.merged:CheckMerged",
            "check_text": "attar_personas.indianization.text:CheckText",
            "population": "attar_personas.population.source:Population",
            "skew": "attar_personas.population.skew:Skew",
            "screen": "attar_personas.screen.step:Screen",
            "deal": "attar_personas.distillation.deal:Deal",
            "near_tasks": "attar_personas.distillation.near:NearTasks",
            "check_task": "attar_personas.distillation.assign:CheckTask",
            "task": "attar_personas.distillation.assign:WriteTask",
            "check_output": "attar_personas.distillation.output:CheckOutput",
            "content": "attar_personas.distillation.content:Content",
            "turns": "attar_personas.distillation.content:Turns",
            "targets": "attar_personas.distillation.targets:Targets",
            "check_enriched": "attar_personas.distillation.enrich:CheckEnriched",
            "settle": "attar_personas.distillation.enrich:Settle",
            "stances": "attar_personas.synthesis.stances:Stances",
            "check_persona": "attar_personas.synthesis.check:CheckPersona",
            "agreement": "attar_personas.synthesis.agreement:Agreement",
            "confidence": "attar_personas.synthesis.confidence:Confidence",
            "skeleton_cap": "attar_personas.synthesis.skeleton:SkeletonCap",
            "relate": "attar_personas.relations.relate:Relate",
            "groups": "attar_personas.relations.coverage:GroupsOf",
        }

    @hookimpl
    def attar_exporters(self) -> Mapping[str, str]:
        return {
            "persona_release": "attar_personas.release.export:PersonaRelease",
            "skew": "attar_personas.population.skew:Skew",
            "coverage": "attar_personas.relations.coverage:Coverage",
        }


plugin = Plugin()
