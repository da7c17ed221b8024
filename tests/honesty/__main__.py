"""Simulate markets in which there is nothing and count what the statistics say of them.

python -m tests.honesty run --markets 400      # resumable: results/honesty.jsonl
python -m tests.honesty table                  # writes the table of docs/statistics.md
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from tests.honesty.designs import designs
from tests.honesty.table import write_table

FILE = Path("results/honesty.jsonl")
_CHUNK = 20  # markets a task
_WHOLE_RUNS = 4  # whole runs are slow: so many times fewer markets


def _chunk(name, first, count):
    """Return what `count` markets of a design gave, seeds from `first` on."""
    warnings.simplefilter("ignore")
    total = defaultdict(list)
    for seed in range(first, first + count):
        for key, values in asdict(designs()[name].trial(seed)).items():
            total[key] += values
    return {"design": name, "first": first, "count": count, **total}


def read(path):
    """Return the chunks of a file so far; a line cut short by an interruption is left out."""
    chunks = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            chunk = json.loads(line)
        except ValueError:
            continue
        chunks[chunk["design"], chunk["first"]] = chunk
    return chunks


def run(path, count, only, workers):
    """Simulate so many markets of every design and append what they gave to a file."""
    done = read(path)
    path.parent.mkdir(exist_ok=True)
    tasks = [
        (name, first, _CHUNK)
        for first in range(0, count, _CHUNK)
        for name, design in designs().items()
        if only in name and (name, first) not in done
        if design.statistic != "words" or first < count // _WHOLE_RUNS
    ]
    with path.open("a") as file, ProcessPoolExecutor(workers) as pool:
        running = [pool.submit(_chunk, *task) for task in tasks]
        for k, future in enumerate(as_completed(running), 1):
            print(json.dumps(future.result()), file=file, flush=True)
            print(f"{k} of {len(running)}", end="\r", flush=True)


def main():
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.honesty", description=__doc__)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--markets", type=int, default=400, help="of each design")
    parser.add_argument("--only", default="", help="designs whose name contains this")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--file", type=Path, default=FILE)
    chosen = parser.parse_args()
    if chosen.what == "run":
        run(chosen.file, chosen.markets, chosen.only, chosen.workers)
    else:
        print(write_table(read(chosen.file)))


if __name__ == "__main__":
    main()
