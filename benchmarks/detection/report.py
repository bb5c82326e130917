"""Tables of a study for the terminal and for docs/benchmarks.md, and the file and plots beside them. Nothing is measured here."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from benchmarks.detection.brands import CRISES
from benchmarks.detection.methods import METHODS
from benchmarks.detection.plots import CHARTS

BEGIN = "<!-- bench-detection: written by `make bench-detection-docs`, not by hand -->"
END = "<!-- /bench-detection -->"
Table = list[list[str]]


class ReportError(Exception):
    """The document has no place for the tables; says which."""


def as_json(result: dict[str, Any]) -> str:
    """The result with undefined and infinite figures as null, and four digits of the others."""
    return json.dumps(_plain(result), indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value


def _number(value: float, digits: int = 2) -> str:
    if math.isnan(value):
        return "-"
    return "never" if math.isinf(value) else f"{value:.{digits}f}"


def _head(study: dict[str, Any], first: str) -> list[str]:
    return [first, *(f"{row['rate']:g}/min" for row in study["rates"])]


def budget_table(study: dict[str, Any]) -> Table:
    """Every method calibrated to the budget: delay / oracle's, and the false alarms that came on other brands."""
    out = [_head(study, "calibrated to the budget")]
    for entry in METHODS:
        cells = [row["methods"][entry.name]["calibrated"] for row in study["rates"]]
        out.append([entry.words, *(_both(cell) for cell in cells)])
    return out


def own_table(study: dict[str, Any]) -> Table:
    """Every method at its own setting: delay / oracle's, and false alarms with their interval."""
    out = [_head(study, "at its own setting")]
    for entry in METHODS:
        if entry.own_rung is not None:
            cells = [row["methods"][entry.name]["own"] for row in study["rates"]]
            out.append([entry.words, *(_both(cell, interval=True) for cell in cells)])
    return out


def _both(cell: dict[str, Any], *, interval: bool = False) -> str:
    if not cell["possible"]:
        return "not possible"
    alarms = cell["false_alarms"]
    said = f"{_number(cell['ratio'])} ({alarms['rate']:.1f}"
    return f"{said}; {alarms['low']:.1f}-{alarms['high']:.1f})" if interval else f"{said})"


def minutes_table(study: dict[str, Any]) -> Table:
    """Sentinel's median delay as shipped, in minutes, beside the oracle's."""
    names = study["setup"]["crises"]
    out = [_head(study, "minutes, Sentinel as shipped / oracle")]
    for crisis in CRISES:
        if crisis.name in names:
            cells = []
            for row in study["rates"]:
                own = row["methods"]["sentinel"]["own"]["crises"][crisis.name]["median_minutes"]
                best = row["oracle"][crisis.name]["median_minutes"]
                cells.append(f"{_number(own, 0)} / {_number(best, 0)}")
            out.append([crisis.words, *cells])
    return out


def nab_table(nab: dict[str, Any]) -> Table:
    """Standard NAB scores and events caught."""
    out = [
        [
            f"NAB, standard profile, {len(nab['series'])} series",
            "threshold optimised",
            "leave one out",
            "own threshold",
            "events caught at 0.5 false alerts a week",
            "causal",
        ]
    ]
    for cell in nab["scorers"].values():
        standard = cell["profiles"]["standard"]
        caught = (cell.get("service") or {}).get("0.5")
        out.append(
            [
                cell["words"],
                _number(standard["optimised"], 1),
                _number(standard.get("leave_one_out", math.nan), 1),
                _number(standard.get("fixed", math.nan), 1),
                f"{caught['caught']} of {caught['events']}" if caught else "-",
                "yes" if cell["causal"] else "NO",
            ]
        )
    if "fitted" in nab:
        one = nab["fitted"]
        words = f"Sentinel, best of {one['settings_tried']} settings"
        scores = [_number(one["optimised"], 1), _number(one["leave_one_out"], 1)]
        out.append([words, *scores, "-", "-", "-"])
    return out


def tables(result: dict[str, Any]) -> list[Table]:
    """All tables of a result."""
    out = []
    if "study" in result:
        out += [make(result["study"]) for make in (budget_table, own_table, minutes_table)]
    if "nab" in result:
        out.append(nab_table(result["nab"]))
    return out


def as_text(result: dict[str, Any]) -> str:
    """Tables for a terminal."""
    out = []
    for table in tables(result):
        widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
        padded = (
            [cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in table
        )
        out += ["  ".join(row).rstrip() for row in padded] + [""]
    return "\n".join(out)


def as_markdown(result: dict[str, Any]) -> str:
    """The generated part of docs/benchmarks.md."""
    setup = result["study"]["setup"]
    said = (
        f"`{result['mode']}` run, seed {setup['seed']}: {setup['brands']} brands a rate to calibrate on and {setup['brands']} others to measure on, "
        f"{setup['history_days']} days of history, {setup['scored_days']} scored days each, {setup['onsets']} onsets of each crisis a brand; budget: "
        f"one false alarm a brand in {setup['budget_days']:g} days. {result['cpu_seconds'] / 60:.0f} minutes of CPU."
    )
    parts = [said]
    for table in tables(result):
        rule = ["---"] * len(table[0])
        parts.append(
            "\n".join("| " + " | ".join(row) + " |" for row in (table[0], rule, *table[1:]))
        )
    pictures = {
        "detection-delay.svg": "Delay as a multiple of the oracle's, by rate",
        "detection-false-alarms.svg": "False alarms at each method's own setting, by rate",
        "detection-trade.svg": "Delay against false alarms",
    }
    parts += [f"![{words}](figures/{name})" for name, words in pictures.items()]
    return "\n\n".join(parts)


def publish(result: dict[str, Any], docs: Path) -> None:
    """Write the plots, the JSON and the generated part of benchmarks.md in a folder of documents.

    Raises:
        ReportError: benchmarks.md has not exactly one pair of marks.
    """
    page = docs / "benchmarks.md"
    text = page.read_text(encoding="utf-8")
    if (text.count(BEGIN), text.count(END)) != (1, 1) or text.index(BEGIN) > text.index(END):
        raise ReportError(f"{page}: needs the line {BEGIN!r} and after it {END!r}, once each")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    figures = docs / "figures"
    figures.mkdir(exist_ok=True)
    for name, chart in CHARTS.items():
        (figures / name).write_text(chart(result["study"]), encoding="utf-8")
    (figures / "detection.json").write_text(as_json(result), encoding="utf-8")
    page.write_text(f"{before}{BEGIN}\n\n{as_markdown(result)}\n\n{END}{after}", encoding="utf-8")
