"""personas.check_merged: nobody is lost, unnamed or misquoted."""

from __future__ import annotations

from typing import Any

import pytest

from attar.api import Verdict
from attar.testing import StepContract, build, run_judge
from attar_personas.distillation.merged import CheckMerged, marks

EXPERTS = [
    {"persona": "A digger.", "answer": "Wells in black soil go dry in March because the basalt holds little water."},
    {"persona": "A farmer.", "answer": "मेरे खेत में बाजरा कम पानी में होता है और गन्ना सब पी जाता है।"},
]
GOOD: dict[str, Any] = {
    "experts": EXPERTS,
    "points": [
        {"claim": "Wells in black soil go dry in March.", "experts": [1]},
        {"claim": "बाजरा कम पानी में होता है।", "experts": [2]},
    ],
    "text": "Wells go dry by March where basalt holds little water [1], so millet is sown, which needs less [2].",
}
COLUMNS = {
    "experts": "list<struct<persona:string,answer:string>>",
    "points": "list<struct<claim:string,experts:list<int>>>",
    "text": "string",
}


class TestContract(StepContract):
    step = CheckMerged
    config = {"min_words": 5}
    rows = [GOOD, {**GOOD, "text": ""}]
    columns = COLUMNS


def verdict(min_shared: float = 0.2, **changed: Any) -> Verdict:
    step = build(CheckMerged, {"min_words": 10, "min_shared": min_shared})
    (found,) = run_judge(step, [{**GOOD, **changed}])
    assert isinstance(found, Verdict)
    return found


def test_a_fair_merge_passes() -> None:
    found = verdict()
    assert (found.outcome, found.scores["named"], found.scores["shared"]) == ("pass", 1.0, 1.0)


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"points": GOOD["points"][:1]}, "expert_missing", "No claim is given to expert 2"),
        ({"text": GOOD["text"].replace("[2]", "")}, "unmarked", "expert 2"),
        ({"text": GOOD["text"].replace("[2]", "[2, 3]")}, "unknown_expert", "no expert 3"),
        ({"points": [*GOOD["points"], {"claim": "Wells go dry.", "experts": [7]}]}, "unknown_expert", "1 to 2"),
        (
            {"points": [*GOOD["points"], {"claim": "Wells in black soil go dry.", "experts": [2]}]},
            "not_theirs",
            "Expert 2",
        ),
        ({"points": [*GOOD["points"], {"claim": " ", "experts": [2]}]}, "no_points", "List every claim"),
        ({"points": [*GOOD["points"], {"claim": "Wells", "experts": []}]}, "no_points", "List every claim"),
        ({"points": []}, "no_points", "List every claim"),
        ({"text": "Dry [1] [2]."}, "too_short", "at least 10"),
    ],
)
def test_each_fault_has_its_code(changed: dict[str, Any], code: str, said: str) -> None:
    found = verdict(**changed)
    assert (found.outcome, found.code) == ("fail", code)
    assert said in found.feedback


def test_all_faults_are_told_at_once() -> None:
    found = verdict(text="Short.", points=[{"claim": "The moon is made of cheese.", "experts": [1]}])
    assert found.code == "too_short"
    assert found.feedback.count("\n- ") == 3


def test_marks_of_any_digits() -> None:
    assert marks("a [1] b [2, 3][4;5] [१२] [x] [ ] (6)") == {1, 2, 3, 4, 5, 12}
