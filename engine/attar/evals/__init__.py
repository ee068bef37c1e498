"""Results of evaluations, as lm-evaluation-harness writes them: read once here, for the model gate and for reports."""

from attar.evals.harness import Evals, EvalsProblem, Figure, is_share, pick, read_evals

__all__ = ["Evals", "EvalsProblem", "Figure", "is_share", "pick", "read_evals"]
