"""What each scorer costs: posts a second, memory, time to load.

Run ``make bench-language`` (about a minute). Each scorer runs in a process of its own on one core with one thread. Rates are in CPU seconds of
that process, language identification included, no language told. *New* posts are met for the first time, after a thousand others; *again* is the
same posts once more, as reposts are. Posts are those of the corpus, one of each idea, or those of a file (``--posts``, NDJSON with ``text``).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random

from sentinel.errors import LanguageError
from sentinel.language import Post, Scorer, load_scorer
from sentinel.language.base import KINDS

CORPUS = Path(__file__).parent.parent / "corpus" / "posts.ndjson"
WARM_UP = 1_000
LEAST_MEASURED = 200


def read(path: Path) -> list[Post]:
    """The texts of a file in a fixed random order; one of each idea, where ideas are named."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    seen: dict[str, str] = {}
    for number, row in enumerate(rows):
        seen.setdefault(str(row.get("idea", number)), row["text"])
    texts = list(seen.values())
    Random(1).shuffle(texts)
    return [Post(text) for text in texts]


def rate(scorer: Scorer, posts: list[Post], batch: int) -> float:
    """Posts per CPU second."""
    began = time.process_time()
    for start in range(0, len(posts), batch):
        scorer.score(posts[start : start + batch])
    return len(posts) / (time.process_time() - began)


def resident_mb() -> float:
    """Resident size of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(kind: str, model: Path | None, path: Path) -> None:
    """Print one scorer's row; in a process of its own."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    posts = read(path)
    split = min(WARM_UP, len(posts) - LEAST_MEASURED)
    if split < LEAST_MEASURED:
        raise SystemExit(f"{path}: at least {2 * LEAST_MEASURED} posts are needed")
    before, began, wall = resident_mb(), time.process_time(), time.perf_counter()
    scorer = load_scorer(("it", "en"), kind, model)
    loaded, loaded_wall = time.process_time() - began, time.perf_counter() - wall
    size = resident_mb()
    first, new = posts[:split], posts[split:]
    rates = [rate(scorer, first, 64), rate(scorer, new, 64), rate(scorer, new, 64)]
    rates += [rate(scorer, new[:400], batch) for batch in (8, 1)]
    print(
        f"{scorer.model_id:<32}{rates[0]:>9,.0f}{rates[1]:>9,.0f}{rates[2]:>9,.0f}{rates[3]:>9,.0f}{rates[4]:>9,.0f}"
        f"{loaded:>8.1f}{loaded_wall:>8.1f}{size - before:>9.0f}{resident_mb():>9.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=Path, default=CORPUS, help="NDJSON with text")
    parser.add_argument("--transformer", type=Path, help="directory of a transformer")
    parser.add_argument("--only", choices=sorted(KINDS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        try:
            measure(
                given.only, given.transformer if given.only == "transformer" else None, given.posts
            )
        except LanguageError as error:
            print(f"{given.only}: left out: {error}", flush=True)
        return
    loads = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{len(read(given.posts))} posts of {given.posts.name}; load of the machine {loads}")
    print(
        f"{'posts per CPU second':<32}{'first':>9}{'new':>9}{'again':>9}{'by 8':>9}{'singly':>9}"
        f"{'load s':>8}{'wall s':>8}{'load MiB':>9}{'all MiB':>9}",
        flush=True,
    )
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    for kind in KINDS:
        if kind == "transformer" and given.transformer is None:
            print("transformer: left out: needs --transformer DIRECTORY")
            continue
        subprocess.run(
            [sys.executable, "-m", "benchmarks.language", *sys.argv[1:], "--only", kind],
            env={**os.environ, **threads},
            check=True,
        )


if __name__ == "__main__":
    main()
