"""Documents: reading, chunks, retrieval, questions and answers, conversations, and what a student makes of them."""

from __future__ import annotations

from collections.abc import Mapping

from attar.api import hookimpl


class Plugin:
    """The plugin as the engine sees it; nothing is imported before a recipe uses it."""

    @hookimpl
    def attar_steps(self) -> Mapping[str, str]:
        return {
            "check_messages": "attar_rag.exports.check:CheckMessages",
            "check_answer": "attar_rag.qa.answer:CheckAnswer",
            "check_camouflage": "attar_rag.conversations.proof:CheckCamouflage",
            "check_conversation": "attar_rag.conversations.check:CheckConversation",
            "check_domain": "attar_rag.qa.domain:CheckDomain",
            "check_grounded": "attar_rag.conversations.ground:CheckGrounded",
            "check_question": "attar_rag.qa.question:CheckQuestion",
            "check_unanswerable": "attar_rag.conversations.proof:CheckUnanswerable",
            "chunk": "attar_rag.chunking.chunk:Chunk",
            "distribution": "attar_rag.qa.distribution:Distribution",
            "documents": "attar_rag.documents.source:Documents",
            "draw_context": "attar_rag.conversations.draw:DrawContext",
            "evidence": "attar_rag.qa.evidence:Evidence",
            "kinds": "attar_rag.qa.kinds:Kinds",
            "grade_reply": "attar_rag.student.grade:GradeReply",
            "index": "attar_rag.retrieval.index:Index",
            "noise": "attar_rag.conversations.noise:Noise",
            "perplexity": "attar_rag.student.perplexity:Perplexity",
            "retrieve": "attar_rag.retrieval.retrieve:Retrieve",
        }

    @hookimpl
    def attar_exporters(self) -> Mapping[str, str]:
        return {
            "alpaca": "attar_rag.exports.formats:Alpaca",
            "distribution": "attar_rag.qa.distribution:Distribution",
            "openai_chat": "attar_rag.exports.formats:OpenAIChat",
            "sharegpt": "attar_rag.exports.formats:ShareGPT",
            "student_report": "attar_rag.student.report:StudentReport",
            "trl_chat": "attar_rag.exports.formats:TRLChat",
            "trl_prompt_completion": "attar_rag.exports.formats:TRLPromptCompletion",
        }


plugin = Plugin()
