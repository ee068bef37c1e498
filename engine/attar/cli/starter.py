"""The recipe `attar new` writes where it is given none to start from: topics, questions, answers, a judge."""

from __future__ import annotations

from collections.abc import Mapping

RECIPE = """\
attar: 1
name: {name}
description: A question and an answer on each topic, judged and asked again where they fall short.
seed: 7

params:
  topics: {{type: path, default: topics.jsonl, help: a file of rows with a column topic}}

models:
  writer:
    model: google/gemma-3-12b-it
    backend: auto                  # an endpoint from the environment, else vLLM on a GPU, else rehearsal
    sampling: {{temperature: 0.8, max_tokens: 1024}}
  judge: {{extends: writer, sampling: {{temperature: 0}}}}

steps:
  topics: {{use: std.read, with: {{path: "${{params.topics}}"}}}}
  question: {{use: llm.generate, from: topics, model: writer, prompt: prompts/question.md}}
  answer: {{use: llm.generate, from: question, model: writer, prompt: prompts/answer.md}}
  sound:
    use: llm.judge
    from: answer
    model: judge
    prompt: prompts/sound.md
    with:
      criteria:
        - {{name: correct, must: true, description: Nothing in the answer is false.}}
        - {{name: helpful, description: The answer meets the question and can be followed.}}
    on_fail: {{retry: answer, attempts: 3, feedback: true, then: drop}}

outputs:
  dataset: {{from: sound, format: parquet}}
"""

QUESTION = """\
---
inputs: [topic]
version: 1
rehearse: "What should one know about {{ topic }}, {{ words(6) }}?"
---
# system
You write questions that curious people ask.

# user
Write one question about {{ topic }} that takes a few sentences to answer. Give the question alone.
"""

ANSWER = """\
---
inputs: [question]
version: 1
rehearse: "{{ words(60) }}."
---
# system
You answer plainly and truthfully.

# user
{{ question }}
{% if retry.feedback %}

An earlier answer was turned away:
{% for note in retry.feedback %}{{ note }}
{% endfor %}{% endif %}
"""

SOUND = """\
---
inputs: [question, answer, criteria, answer_form]
version: 1
rehearse: |
  {% set good = not fail(0.3) %}
  {"correct": {"reason": "{{ words(5) }}", "met": {{ "true" if good else "false" }}},
   "helpful": {"reason": "{{ words(5) }}", "met": true}}
---
# system
You judge answers strictly and say why.

# user
Question: {{ question }}

Answer: {{ answer }}

Judge the answer by these criteria:
{% for criterion in criteria %}- {{ criterion.name }}: {{ criterion.description }}
{% endfor %}
{{ answer_form }}
"""

TOPICS = """\
{"topic": "why rain smells"}
{"topic": "how rose water is distilled"}
{"topic": "reading a railway timetable"}
{"topic": "keeping spices fresh"}
{"topic": "the phases of the moon"}
{"topic": "how a stepwell stores water"}
"""


def starter_files(name: str) -> Mapping[str, str]:
    """Path in the new folder → text."""
    return {
        f"{name}.yaml": RECIPE.format(name=name),
        "prompts/question.md": QUESTION,
        "prompts/answer.md": ANSWER,
        "prompts/sound.md": SOUND,
        "topics.jsonl": TOPICS,
    }
