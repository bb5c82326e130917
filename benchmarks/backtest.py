"""How long a backtest of 90 days of a busy brand takes, from posts and from counts.

    python -m benchmarks.backtest [--days 90] [--rate 10]

``make bench-backtest`` runs it (about four minutes and 300 MB in the temporary folder). Posts are made of two halves of posts of the corpus each,
none of them negative, in its two languages, with a daily rhythm: no two need be alike, but after some thousands their words have all been met, as
in talk about one brand. Counts are the same minutes as CSV. Each run is ``sentinel backtest`` as a user would call it, on all cores.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from sentinel.backtest import rfc3339

ROOT = Path(__file__).parents[1]
BEGIN = 1_788_220_800  # a Tuesday in 2026, 00:00 UTC
MINUTES_A_DAY = 1440


def poisson(rng: Random, mean: float) -> int:
    """A count with this mean (Knuth 1969)."""
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def minutes(days: int, rate: float, rng: Random) -> Iterator[tuple[int, int]]:
    """Epoch seconds of each minute and how many posts it has."""
    for minute in range(days * MINUTES_A_DAY):
        wave = 1 - 0.8 * math.cos(2 * math.pi * (minute / MINUTES_A_DAY - 3 / 24))
        yield BEGIN + minute * 60, poisson(rng, rate * wave)


def write(folder: Path, days: int, rate: float) -> int:
    """Write ``posts.ndjson`` and ``counts.csv``; returns the number of posts."""
    rng = Random(90)
    halves: dict[str, list[tuple[list[str], str]]] = {"it": [], "en": []}
    for line in (ROOT / "corpus" / "posts.ndjson").read_text(encoding="utf-8").splitlines():
        post = json.loads(line)
        words = post["text"].split()
        middle = len(words) // 2
        halves[post["lang"]] += [
            (words[:middle], post["sentiment"]),
            (words[middle:], post["sentiment"]),
        ]
    plain = {
        code: [words for words, feeling in found if feeling != "negative"]
        for code, found in halves.items()
    }
    written = 0
    with (
        (folder / "posts.ndjson").open("w", encoding="utf-8") as posts,
        (folder / "counts.csv").open("w", encoding="utf-8") as counts,
    ):
        counts.write("timestamp,brand,mentions,negative\n")
        for start, number in minutes(days, rate, rng):
            bad = sum(rng.random() < 0.2 for _ in range(number))
            counts.write(f"{rfc3339(start)},aurora,{number},{bad}\n")
            for place in range(number):
                code = "it" if rng.random() < 0.7 else "en"
                pool = plain[code]
                text = " ".join([*rng.choice(pool), *rng.choice(pool)])
                row = {
                    "id": str(written),
                    "channel": rng.choice(("bluesky", "forum", "news")),
                    "published_at": rfc3339(start + 60 * place // number),
                    "brand": "aurora",
                    "author": {"id": f"a{rng.randrange(50_000)}"},
                    "text": text,
                }
                posts.write(json.dumps(row, ensure_ascii=False) + "\n")
                written += 1
    return written


def run(path: Path) -> tuple[float, str]:
    """Wall-clock seconds of a backtest, and what it said last."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "sentinel", "backtest", str(path), "--json"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    )  # fmt: skip
    took = time.perf_counter() - began
    said = done.stderr.strip().splitlines()
    return took, f"{len(done.stdout.splitlines())} alerts; {said[-1] if said else ''}"


def main() -> None:
    """Print how long each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--rate", type=float, default=10.0, help="mentions a minute, in the mean")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        number = write(folder, asked.days, asked.rate)
        sys.stdout.write(
            f"{number} posts in {asked.days} days; {os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}\n"
        )
        for file in ("counts.csv", "posts.ndjson"):
            took, said = run(folder / file)
            sys.stdout.write(f"{file}: {took:.1f} s; {said}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
