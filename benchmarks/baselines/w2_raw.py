"""W2 by hand: one coroutine per row. `python w2_raw.py ROWS OUT IN_FLIGHT SEED`, with BENCH_URL set.

Question, answer, judge with up to three attempts, translation: the same bodies as recipes/w2.yaml sends, at most
IN_FLIGHT of them at once. Nothing is journalled or checked.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvloop

ATTEMPTS = 3
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
FORM = {"type": "json_schema", "json_schema": {"name": "answer", "schema": VERDICT, "strict": True}}


async def main(rows: Path, out: Path, in_flight: int, seed: str) -> None:
    url = os.environ["BENCH_URL"] + "/chat/completions"
    with rows.open("rb") as file:
        records = [orjson.loads(line) for line in file]
    free = asyncio.Semaphore(in_flight)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(key: str, content: str, **more: Any) -> str:
            body = {
                "model": "bench",
                "messages": [{"role": "user", "content": content}],
                "temperature": 1,
                "max_tokens": 1024,
                **more,
            }
            headers = {**JSON, "X-Request-Id": f"raw-{seed}-{key}"}
            async with free, session.post(url, data=orjson.dumps(body), headers=headers) as response:
                answer = orjson.loads(await response.read())
            text: str = answer["choices"][0]["message"]["content"]
            return text

        async def walk(number: int, record: dict[str, Any]) -> dict[str, Any]:
            question = await ask(f"{number}-q", f"Ask a question about this subject: {record['text']}")
            for attempt in range(1, ATTEMPTS + 1):
                answer = await ask(f"{number}-a{attempt}", f"Answer this question: {question}")
                verdict = await ask(
                    f"{number}-j{attempt}",
                    f"Is the answer correct and complete? Judge it.\n\nQuestion: {question}\n\nAnswer: {answer}",
                    response_format=FORM,
                )
                if orjson.loads(verdict)["correct"]["met"]:
                    break
            translation = await ask(f"{number}-t", f"Translate this into Hindi: {answer}")
            return {**record, "question": question, "answer": answer, "translation": translation, "tries": attempt}

        done = await asyncio.gather(*(walk(number, record) for number, record in enumerate(records)))
    with out.open("wb") as file:
        for row in done:
            file.write(orjson.dumps(row) + b"\n")


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
