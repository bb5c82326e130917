"""How well threads of talk and near copies are told apart, on data that stays where it is.

    python -m benchmarks.talk FOLDER

FOLDER holds the replay sets (see ``crisis_types``). Threads: first headlines of one to three crises, or complaints of one to
three labelled reasons, mixed and shuffled, the brands' names taken out; how often as many groups are found as were mixed,
and how pure they are. Near copies: real posts and the same posts with a link added, one word exchanged, two exchanged, or
the last fifth cut off, against pairs of unrelated posts; simhash as in ``core/duplicates`` beside MinHash (Broder 1997) on
the same words and pairs, with 128 permutations, at the threshold that lets as few unrelated pairs through.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from zlib import crc32

from benchmarks.crisis_types import HOURS, began, moment, posts
from sentinel.core.duplicates import NEAR_BITS, fingerprint
from sentinel.core.playbook_match import tokens
from sentinel.core.showing import LEAST_THREAD, LEAST_THREAD_POSTS
from sentinel.core.storyline import MAX_SAMPLE
from sentinel.core.threads import group
from sentinel.language.phrases import terms

MIXES = 60
PAIRS = 3000
PERMUTATIONS = 128
PRIME = (1 << 61) - 1
NEWS = (
    ("credit_suisse", "2023-03-15"), ("bud_light", "2023-04-01"), ("adidas", "2022-10-24"), ("ftx", "2022-11-08"),
    ("oceangate", "2023-06-19"), ("reddit", "2023-05-31"), ("cruise", "2023-10-24"), ("ticketmaster", "2022-11-15"),
    ("binance", "2023-06-05"), ("spotify", "2023-12-04"), ("disney", "2023-02-08"), ("tiktok", "2023-03-23"),
)  # fmt: skip
"""Crises with at least a dozen headlines."""

Words = list[str]
Sources = dict[str, list[Words]]


def headlines(folder: Path) -> Sources:
    """The words of the first headlines of each crisis, without the brand's own."""
    found = {}
    for brand, day in NEWS:
        start = began(folder, {"set": "news", "brand": brand, "day": day})
        texts = [
            row["text"]
            for row in posts(folder, "news", brand)
            if row["lang"] == "en" and 0 <= moment(row["ts"]) - start <= HOURS * 3600
        ]
        own = brand.split("_")
        found[brand] = [
            [word for word in terms(text, "en") if not any(part in word for part in own)]
            for text in texts[:40]
        ]
    return found


def complaints(folder: Path) -> Sources:
    """The words of one airline's complaints by labelled reason."""
    found: Sources = {}
    for row in posts(folder, "airline", "united"):
        reason = row.get("negative_reason")
        if reason and reason != "Can't Tell":
            found.setdefault(reason, []).append(terms(row["text"], "en"))
    return {reason: texts for reason, texts in found.items() if len(texts) >= 40}


def threads(name: str, sources: Sources) -> None:
    """Mix, group, and count."""
    rng = Random(1)
    same = more = fewer = 0
    pure = covered = 0.0
    for _ in range(MIXES):
        chosen = rng.sample(sorted(sources), rng.choice([1, 2, 3]))
        mixed = [
            (words, source)
            for source in chosen
            for words in rng.sample(sources[source], min(20, len(sources[source])))
        ]
        rng.shuffle(mixed)
        mixed = mixed[:MAX_SAMPLE]
        least = max(LEAST_THREAD_POSTS, LEAST_THREAD * len(mixed))
        groups = [one for one in group([words for words, _ in mixed]) if len(one) >= least]
        same += len(groups) == len(chosen)
        more += len(groups) > len(chosen)
        fewer += len(groups) < len(chosen)
        told = sum(map(len, groups))
        pure += sum(max(Counter(mixed[at][1] for at in one).values()) for one in groups) / max(
            1, told
        )
        covered += told / len(mixed)
    sys.stdout.write(
        f"threads, {name}: as many {same / MIXES:.2f}, more {more / MIXES:.2f}, fewer {fewer / MIXES:.2f}; "
        f"purity {pure / MIXES:.2f}, posts in a thread {covered / MIXES:.2f}\n"
    )


def minhash(text: str) -> list[int]:
    """The signature that a MinHash of ``PERMUTATIONS`` permutations keeps."""
    rng = Random(7)
    factors = [(rng.randrange(1, PRIME), rng.randrange(PRIME)) for _ in range(PERMUTATIONS)]
    words = tokens(text)
    marks = [crc32(mark.encode()) for mark in (*words, *map(" ".join, pairwise(words)))]
    return [min((a * mark + b) % PRIME for mark in marks) for a, b in factors]


def copies(folder: Path) -> None:
    """Recall of changed copies where few unrelated pairs are taken for copies."""
    rng = Random(2)
    texts = [
        row["text"]
        for row in posts(folder, "airline", "united")
        if fingerprint(row["text"]) is not None
    ][:400]
    vocabulary = sorted({word for text in texts for word in text.split()})

    def exchanged(text: str, number: int) -> str:
        words = text.split()
        for place in rng.sample(range(len(words)), min(number, len(words))):
            words[place] = rng.choice(vocabulary)
        return " ".join(words)

    changes: dict[str, Callable[[str], str]] = {
        "a link added": lambda text: f"{text} https://x.example/{rng.randrange(9999)}",
        "one word exchanged": lambda text: exchanged(text, 1),
        "two words exchanged": lambda text: exchanged(text, 2),
        "last fifth cut off": lambda text: text[: len(text) * 4 // 5],
    }
    marks = [fingerprint(text) or 0 for text in texts]
    hashes = [minhash(text) for text in texts]

    def alike(one: list[int], other: list[int]) -> float:
        return sum(map(int.__eq__, one, other)) / PERMUTATIONS

    pairs = [rng.sample(range(len(texts)), 2) for _ in range(PAIRS)]
    wrong = sum((marks[one] ^ marks[other]).bit_count() <= NEAR_BITS for one, other in pairs)
    unrelated = sorted((alike(hashes[one], hashes[other]) for one, other in pairs), reverse=True)
    threshold = max(0.3, unrelated[wrong] + 1 / PERMUTATIONS)
    sys.stdout.write(
        f"near copies: {wrong} of {PAIRS} unrelated pairs by simhash; MinHash from similarity {threshold:.2f}\n"
    )
    for name, change in changes.items():
        changed = [change(text) for text in texts]
        ours = sum(
            (mark ^ (fingerprint(text) or ~mark & (1 << 64) - 1)).bit_count() <= NEAR_BITS
            for mark, text in zip(marks, changed, strict=True)
        )
        theirs = sum(
            alike(one, minhash(text)) >= threshold
            for one, text in zip(hashes, changed, strict=True)
        )
        sys.stdout.write(
            f"  {name}: simhash {ours / len(texts):.2f}, MinHash {theirs / len(texts):.2f}\n"
        )
    began_at = time.process_time()
    for text in texts:
        fingerprint(text)
    spent = (time.process_time() - began_at) / len(texts) * 1e6
    sys.stdout.write(f"  simhash: {spent:.0f} us a post, 8 bytes; MinHash: 512 to 1,024 bytes\n")


def main() -> None:
    """Run all parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    threads("headlines of different crises", headlines(folder))
    threads("complaints to one airline by reason", complaints(folder))
    copies(folder)


if __name__ == "__main__":
    main()
