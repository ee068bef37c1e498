"""The peers' work by hand, one coroutine per row: `chain_raw.py w1|w2 ROWS OUT IN_FLIGHT`, with BENCH_URL set."""

import asyncio
import os
import re
import sys
from pathlib import Path

import aiohttp
import orjson
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "peers"))
from prompts import STEPS


async def main(work: str, rows: Path, out: Path, in_flight: int) -> None:
    url = os.environ["BENCH_URL"] + "/chat/completions"
    with rows.open("rb") as file:
        records = [orjson.loads(line) for line in file]
    free = asyncio.Semaphore(in_flight)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def walk(number: int, record: dict[str, str]) -> dict[str, str]:
            row = dict(record)
            for name, prompt in STEPS[work].items():
                content = re.sub(r"{{ (\w+) }}", lambda match: row[match[1]], prompt)
                body = {
                    "model": "bench",
                    "messages": [{"role": "user", "content": content}],
                    "temperature": 1,
                    "max_tokens": 1024,
                    "seed": number,
                }
                headers = {"Content-Type": "application/json"}
                async with free, session.post(url, data=orjson.dumps(body), headers=headers) as response:
                    answer = orjson.loads(await response.read())
                row[name] = answer["choices"][0]["message"]["content"]
            return row

        done = await asyncio.gather(*(walk(number, record) for number, record in enumerate(records)))
    with out.open("wb") as file:
        for row in done:
            file.write(orjson.dumps(row) + b"\n")


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])))
