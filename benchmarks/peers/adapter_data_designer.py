"""NeMo Data Designer: `python adapter_data_designer.py w1|w2 ROWS OUT IN_FLIGHT`, with BENCH_URL set.

Its health checks and telemetry are off; its limit of requests is set to IN_FLIGHT, its row groups to all rows at once,
which is its fastest setting.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("NEMO_TELEMETRY_ENABLED", "false")

import data_designer.config as dd
from data_designer.interface import DataDesigner
from prompts import STEPS


def main(work: str, rows: Path, out: Path, in_flight: int) -> None:
    provider = dd.ModelProvider(name="bench", endpoint=os.environ["BENCH_URL"], api_key="none")
    parameters = dd.ChatCompletionInferenceParams(
        temperature=1.0, max_tokens=1024, max_parallel_requests=in_flight, timeout=600
    )
    model = dd.ModelConfig(
        alias="model", model="bench", provider="bench", inference_parameters=parameters, skip_health_check=True
    )
    count = sum(1 for _ in rows.open("rb"))
    builder = dd.DataDesignerConfigBuilder(model_configs=[model])
    builder.with_seed_dataset(dd.LocalFileSeedSource(path=str(rows)))
    for name, prompt in STEPS[work].items():
        builder.add_column(dd.LLMTextColumnConfig(name=name, model_alias="model", prompt=prompt))
    designer = DataDesigner(artifact_path=out.parent / "artifacts", model_providers=[provider])
    designer.set_run_config(
        dd.RunConfig(
            buffer_size=count, max_in_flight_tasks=max(1024, in_flight), otel_metrics_port=None, progress_interval=600
        )
    )
    results = designer.create(builder, num_records=count)
    results.load_dataset().to_json(out, orient="records", lines=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
