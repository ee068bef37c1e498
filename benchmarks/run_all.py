"""All of attar's benchmarks, one after another: `python benchmarks/run_all.py [--quick]`.

Takes about a quarter of an hour on two cores. `--quick` takes one pair each and a tenth of the rows in `memory`, to see
that everything runs; its figures mean little. The peers have a command of their own, benchmarks/peers/run.py.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness as h
import memory
import start
import w1
import w2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    record = start.run(3 if quick else 10)
    h.report("start", start.show(record), record)
    record = w1.run(1 if quick else 5)
    h.report("w1", "\n" + w1.show(record), record)
    record = w2.run(1 if quick else 5)
    h.report("w2", "\n" + w2.show(record), record)
    record = memory.run(100_000, 20_000) if quick else memory.run()
    h.report("memory", "\n" + memory.show(record), record)


if __name__ == "__main__":
    main()
