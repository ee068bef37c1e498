"""distilabel: `python adapter_distilabel.py w1|w2 ROWS OUT IN_FLIGHT`, with BENCH_URL set.

A step asks for one batch at a time and for all of its rows at once, so IN_FLIGHT is the batch size. Its cache is on,
as by default: it is what resume needs.
"""

import os
import re
import sys
from pathlib import Path

import orjson
from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration
from prompts import STEPS


def main(work: str, rows: Path, out: Path, in_flight: int) -> None:
    with rows.open("rb") as file:
        records = [orjson.loads(line) for line in file]
    with Pipeline(name=f"bench-{work}", cache_dir=out.parent / "cache") as pipeline:
        last = LoadDataFromDicts(name="load", data=records, batch_size=in_flight)
        for name, prompt in STEPS[work].items():
            step = TextGeneration(
                name=f"step_{name}",
                llm=OpenAILLM(
                    model="bench",
                    base_url=os.environ["BENCH_URL"],
                    api_key="none",
                    timeout=600,
                    generation_kwargs={"temperature": 1.0, "max_new_tokens": 1024},
                ),
                template=prompt,
                columns=re.findall(r"{{ (\w+) }}", prompt),
                output_mappings={"generation": name, "model_name": f"model_{name}"},
                add_raw_output=False,
                add_raw_input=False,
                input_batch_size=in_flight,
            )
            last >> step
            last = step
    made = pipeline.run(use_cache=False)
    made["default"]["train"].to_json(out)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
