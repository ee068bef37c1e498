"""sdg-hub: `python adapter_sdg_hub.py w1|w2 ROWS OUT IN_FLIGHT`, with BENCH_URL set.

A flow of prompt, chat and extraction blocks, the chat blocks asynchronous, `max_concurrency` = IN_FLIGHT.
"""

import os
import re
import sys
from pathlib import Path

import pandas as pd
import yaml
from prompts import STEPS
from sdg_hub import Flow


def flow_file(work: str, folder: Path) -> Path:
    """Writes the flow and its prompts as sdg-hub wants them: files."""
    blocks = []
    for name, prompt in STEPS[work].items():
        template = re.sub(r"{{ (\w+) }}", r"{{\1}}", prompt)
        (folder / f"{name}.yaml").write_text(yaml.safe_dump([{"role": "user", "content": template}]))
        columns = re.findall(r"{{(\w+)}}", template)
        blocks += [
            {
                "block_type": "PromptBuilderBlock",
                "block_config": {
                    "block_name": f"prompt_{name}",
                    "input_cols": {column: column for column in columns},
                    "output_cols": f"{name}_messages",
                    "prompt_config_path": f"{name}.yaml",
                },
            },
            {
                "block_type": "LLMChatBlock",
                "block_config": {
                    "block_name": f"ask_{name}",
                    "input_cols": f"{name}_messages",
                    "output_cols": f"{name}_response",
                    "async_mode": True,
                    "temperature": 1.0,
                    "max_tokens": 1024,
                    "timeout": 600,
                },
            },
            {
                "block_type": "LLMResponseExtractorBlock",
                "block_config": {
                    "block_name": f"take_{name}",
                    "input_cols": f"{name}_response",
                    "field_prefix": f"{name}_",
                    "extract_content": True,
                },
            },
            {
                "block_type": "RenameColumnsBlock",
                "block_config": {"block_name": f"name_{name}", "input_cols": {f"{name}_content": name}},
            },
        ]
    about = {"name": f"bench {work}", "description": "benchmark", "version": "1.0.0", "author": "attar"}
    path = folder / "flow.yaml"
    path.write_text(yaml.safe_dump({"metadata": about, "blocks": blocks}, sort_keys=False))
    return path


def main(work: str, rows: Path, out: Path, in_flight: int) -> None:
    folder = out.parent / "flow"
    folder.mkdir()
    flow = Flow.from_yaml(str(flow_file(work, folder)))
    flow.set_model_config(model="openai/bench", api_base=os.environ["BENCH_URL"], api_key="none")
    data = pd.read_json(rows, lines=True)
    made = flow.generate(data, max_concurrency=in_flight)
    made[["text", "number", *STEPS[work]]].to_json(out, orient="records", lines=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
