"""W1 by hand: as little as a Python client can do. `python w1_raw.py ROWS OUT IN_FLIGHT`, with BENCH_URL set.

One pooled aiohttp session under uvloop, orjson both ways, IN_FLIGHT workers on one iterator, answers kept in memory
and written in order at the end. No journal, no ids, no checks, no retries.
"""

import asyncio
import os
import sys
from pathlib import Path

import aiohttp
import orjson
import uvloop

JSON = {"Content-Type": "application/json"}


async def main(rows: Path, out: Path, in_flight: int) -> None:
    url = os.environ["BENCH_URL"] + "/chat/completions"
    with rows.open("rb") as file:
        records = [orjson.loads(line) for line in file]
    answers: list[str] = [""] * len(records)
    todo = iter(range(len(records)))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def work() -> None:
            for number in todo:
                body = {
                    "model": "bench",
                    "messages": [{"role": "user", "content": records[number]["text"]}],
                    "temperature": 1,
                    "max_tokens": 256,
                    "seed": number,
                }
                headers = {**JSON, "X-Request-Id": f"raw-{number}"}
                async with session.post(url, data=orjson.dumps(body), headers=headers) as response:
                    answer = orjson.loads(await response.read())
                answers[number] = answer["choices"][0]["message"]["content"]

        await asyncio.gather(*(work() for _ in range(in_flight)))
    with out.open("wb") as file:
        for record, text in zip(records, answers, strict=True):
            file.write(orjson.dumps({**record, "answer": text}) + b"\n")


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
