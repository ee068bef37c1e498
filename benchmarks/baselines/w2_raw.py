"""W2 by hand: one coroutine per row. `python w2_raw.py ROWS OUT IN_FLIGHT`, with BENCH_URL set.

Question, answer, judge with up to three attempts, translation: the same requests as recipes/w2.yaml makes, at most
IN_FLIGHT of them at once. Nothing is journalled or checked. Ids, seeds and request keys are attar's, because the
stand-in server draws an answer's length and a verdict from the key: so both do the very same work, and what is compared
is how well it is packed.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvloop

from attar.identity import request_key, row_id, seed_of

ATTEMPTS = 3
RECIPE_SEED = 0
SAMPLING = {"temperature": 1.0, "max_tokens": 1024}
JSON = {"Content-Type": "application/json"}
VERDICT = {
    "type": "object",
    "properties": {
        "correct": {
            "type": "object",
            "properties": {"reason": {"type": "string"}, "met": {"type": "boolean"}},
            "required": ["reason", "met"],
            "additionalProperties": False,
        }
    },
    "required": ["correct"],
    "additionalProperties": False,
}


async def main(rows: Path, out: Path, in_flight: int) -> None:
    url = os.environ["BENCH_URL"] + "/chat/completions"
    with rows.open("rb") as file:
        records = [orjson.loads(line) for line in file]
    free = asyncio.Semaphore(in_flight)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(row: str, step: str, attempt: int, content: str, schema: dict[str, Any] | None = None) -> str:
            messages = [{"role": "user", "content": content}]
            asked: dict[str, Any] = {"messages": messages, "sampling": SAMPLING}
            wire = {"model": "bench", "messages": messages, **SAMPLING}
            if schema is not None:
                asked["schema"] = schema
                form = {"name": "answer", "schema": schema, "strict": True}
                wire["response_format"] = {"type": "json_schema", "json_schema": form}
            wire["seed"] = seed = seed_of(RECIPE_SEED, step, row, attempt)
            headers = {**JSON, "X-Request-Id": request_key("chat", "bench", None, asked, seed)}
            async with free, session.post(url, data=orjson.dumps(wire), headers=headers) as response:
                answer = orjson.loads(await response.read())
            text: str = answer["choices"][0]["message"]["content"]
            return text

        async def walk(record: dict[str, Any]) -> dict[str, Any]:
            row = row_id("rows", record["number"])
            question = await ask(row, "question", 1, f"Ask a question about this subject: {record['text']}")
            for attempt in range(1, ATTEMPTS + 1):
                answer = await ask(row, "answer", attempt, f"Answer this question: {question}")
                judged = f"Is the answer correct and complete? Judge it.\n\nQuestion: {question}\n\nAnswer: {answer}"
                verdict = orjson.loads(await ask(row, "good", attempt, judged, VERDICT))
                if verdict["correct"]["met"]:
                    break
            translation = await ask(row, "translation", 1, f"Translate this into Hindi: {answer}")
            return {**record, "question": question, "answer": answer, "translation": translation, "tries": attempt}

        done = await asyncio.gather(*map(walk, records))
    with out.open("wb") as file:
        for row in done:
            file.write(orjson.dumps(row) + b"\n")


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
