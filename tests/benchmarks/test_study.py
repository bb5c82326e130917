from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from benchmarks.detection import report, study
from benchmarks.detection.__main__ import main
from benchmarks.detection.methods import METHODS

TINY = replace(
    study.QUICK,
    rates=(1.0,),
    brands=1,
    history_days=8,
    scored_days=2,
    onsets=2,
    crises=("flash", "turn"),
)
PAGE = f"# Benchmarks\n\nbefore\n\n{report.BEGIN}\nold\n{report.END}\n\nafter\n"


def without_clock(result: dict[str, Any]) -> dict[str, Any]:
    out = deepcopy(result)
    for row in out["rates"]:
        for cells in row["methods"].values():
            assert cells.pop("microseconds_per_minute") > 0
    return out


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return study.run(TINY, 1, lambda _: None)


@pytest.fixture
def result(found: dict[str, Any]) -> dict[str, Any]:
    return {"mode": "--quick", "cpu_seconds": 60.0, "study": found}


def test_a_study_repeats_itself_to_the_last_figure(found: dict[str, Any]) -> None:
    again = study.run(TINY, 1, lambda _: None)
    assert report.as_json(without_clock(found)) == report.as_json(without_clock(again))
    other = study.run(replace(TINY, seed=2), 1, lambda _: None)
    assert report.as_json(without_clock(found)) != report.as_json(without_clock(other))


def test_every_method_is_judged_beside_the_oracle(found: dict[str, Any]) -> None:
    (row,) = found["rates"]
    assert {entry.name for entry in METHODS} == set(row["methods"])
    flash = row["oracle"]["flash"]["median_minutes"]
    assert 1 <= flash < 60
    for entry in METHODS:
        cells = row["methods"][entry.name]
        assert (entry.own_rung is None) == (cells["own"] is None)
        for cell in (cells["calibrated"], cells["own"]):
            if cell and cell["possible"]:
                assert TINY.onsets >= cell["crises"]["flash"]["crises"]
                assert cell["false_alarms"]["low"] <= cell["false_alarms"]["rate"]
    shipped = row["methods"]["sentinel"]["own"]["crises"]["flash"]["median_minutes"]
    assert shipped < row["methods"]["same_hour"]["calibrated"]["crises"]["flash"]["median_minutes"]


def test_tables_and_plots_go_where_the_marks_are(tmp_path: Path, result: dict[str, Any]) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(PAGE, encoding="utf-8")
    report.publish(result, tmp_path)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Benchmarks\n\nbefore\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    for entry in METHODS:
        assert f"| {entry.words} |" in text
    for picture in ("detection-delay", "detection-false-alarms", "detection-trade"):
        assert f"(figures/{picture}.svg)" in text
        drawing = ET.parse(tmp_path / "figures" / f"{picture}.svg").getroot()  # noqa: S314 - our own
        assert drawing.tag.endswith("svg")
        assert "NaN" not in ET.tostring(drawing, encoding="unicode")
    kept = json.loads((tmp_path / "figures" / "detection.json").read_text(encoding="utf-8"))
    assert [1.0] == kept["study"]["setup"]["rates"]
    report.publish(result, tmp_path)
    assert text == page.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["no marks\n", report.END + report.BEGIN, PAGE + PAGE])
def test_a_page_without_its_marks_is_left_alone(
    tmp_path: Path, result: dict[str, Any], text: str
) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(report.ReportError, match=r"benchmarks\.md"):
        report.publish(result, tmp_path)
    assert text == page.read_text(encoding="utf-8")
    assert [page] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments", [["--only-nab"], ["--quick", "--full"], ["--rates", "0"], ["--processes", "0"]]
)
def test_arguments_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
