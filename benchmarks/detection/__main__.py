"""``python -m benchmarks.detection``: delay and false alarms on simulated brands, and NAB where a checkout is at hand."""

from __future__ import annotations

import argparse
import os
import resource
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

# One thread a process: the matrices are tiny, and the processes are the parallelism. Must precede numpy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from benchmarks.detection import nab, nab_study, report, study

DOCS = Path(__file__).parents[2] / "docs"


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.detection",
        description="Delay against an oracle and false alarms on simulated brands, for Sentinel, the rule of commercial suites and river's "
        "detectors side by side. Needs no data; with --nab also the Numenta Anomaly Benchmark.",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick",
        action="store_true",
        help="the default: 5 brands, 4 kinds of crisis; about 5 CPU minutes",
    )
    size.add_argument(
        "--full",
        action="store_true",
        help="24 brands, 7 kinds of crisis; an hour or more of CPU (estimated)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=study.FULL.seed,
        help="of everything random (default %(default)s)",
    )
    parser.add_argument(
        "--rates",
        type=float,
        nargs="+",
        metavar="N",
        help="mentions a minute (default 0.1 1 10 100 1000)",
    )
    parser.add_argument(
        "--budget-days",
        type=float,
        default=study.FULL.budget_days,
        metavar="N",
        help="one false alarm a brand in N days (default %(default)g)",
    )
    parser.add_argument(
        "--processes",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="worker processes (default: one a core)",
    )
    parser.add_argument(
        "--nab",
        type=Path,
        metavar="PATH",
        help="a checkout of NAB, or a folder with data/ and labels/ like it",
    )
    parser.add_argument("--only-nab", action="store_true", help="leave out the simulation")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything as JSON")
    parser.add_argument(
        "--docs",
        action="store_true",
        help="also rewrite docs/figures and the tables of docs/benchmarks.md",
    )
    found = parser.parse_args(argv)
    if found.only_nab and (not found.nab or found.docs):
        parser.error("--only-nab needs --nab and cannot write --docs")
    if (
        found.processes < 1
        or found.budget_days <= 0
        or any(rate <= 0 for rate in found.rates or [])
    ):
        parser.error("--processes, --budget-days and --rates must be above 0")
    return found


def measure(args: argparse.Namespace) -> dict[str, Any]:
    result: dict[str, Any] = {"mode": "--full" if args.full else "--quick"}
    if not args.only_nab:
        setup = study.FULL if args.full else study.QUICK
        rates = tuple(sorted(args.rates)) if args.rates else setup.rates
        setup = replace(setup, seed=args.seed, rates=rates, budget_days=args.budget_days)
        result["study"] = study.run(
            setup, args.processes, lambda line: print(line, file=sys.stderr, flush=True)
        )
    if args.nab:
        result["nab"] = nab_study.run(args.nab)
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    result["cpu_seconds"] = sum(one.ru_utime + one.ru_stime for one in spent)
    return result


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    try:
        result = measure(args)
        print(report.as_text(result))
        if args.json:
            args.json.write_text(report.as_json(result), encoding="utf-8")
        if args.docs:
            report.publish(result, DOCS)
    except (nab.NabError, report.ReportError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
