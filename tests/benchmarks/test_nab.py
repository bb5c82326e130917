"""NAB's score against cases worked out by hand from its definition."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from benchmarks.detection import nab_study
from benchmarks.detection.__main__ import main
from benchmarks.detection.nab import (
    PROFILES,
    NabError,
    Scores,
    Series,
    Sweep,
    is_causal,
    judge,
    leave_one_out,
    read,
    service,
)

STANDARD = PROFILES["standard"]
# 100 points, five minutes apart, the first 15 unscored, one window of ten points.
ONE = Series("one", tuple(300.0 * k for k in range(100)), (1.0,) * 100, ((50, 59),), (50 * 300.0,))


def at(*points: int) -> dict[str, Scores]:
    return {"one": [1.0 if k in points else 0.0 for k in range(100)]}


def score(points: tuple[int, ...], profile: str = "standard") -> float:
    sweep = Sweep([ONE], at(*points))
    return sweep.score(sweep.at(1.0), PROFILES[profile])


@pytest.mark.parametrize(
    ("points", "profile", "expected"),
    [
        ((), "standard", 0.0),
        ((50,), "standard", 100.0),
        ((50, 55, 59), "standard", 100.0),  # later ones inside change nothing
        ((59,), "standard", 62.4121),  # position -0.1: 0.244919 of 0.986614
        ((20, 50), "standard", 94.5),  # before any window a point costs 0.11
        ((20, 50), "low_FP", 89.0),
        ((3, 50), "standard", 100.0),  # not scored yet
        ((50, 62), "standard", 96.2476),  # a third of a window after its end: -0.682262
        ((50, 99), "standard", 94.5),  # far after
        ((20,), "low_FN", -3.6667),  # a miss costs 2
    ],
)
def test_scores_are_those_worked_out_by_hand(
    points: tuple[int, ...], profile: str, expected: float
) -> None:
    assert score(points, profile) == pytest.approx(expected, abs=1e-3)


def test_the_best_threshold_takes_the_hit_and_leaves_the_noise() -> None:
    scores = {"one": [0.0] * 100}
    scores["one"][20], scores["one"][50], scores["one"][80] = 0.5, 0.9, 0.3
    sweep = Sweep([ONE], scores)
    best = sweep.best(STANDARD)
    assert (0.9, 1, 100.0) == (best.threshold, best.hits, sweep.score(best, STANDARD))
    assert 0 == sweep.at(0.95).hits
    assert 0.9 == sweep.at(0.6).threshold


def test_leaving_one_out_takes_the_threshold_of_the_others() -> None:
    two = Series("two", ONE.times, ONE.values, ONE.windows)
    scores = {"one": [0.9 if k == 50 else 0.0 for k in range(100)]}
    scores["two"] = [0.5 if k == 50 else 0.0 for k in range(100)]
    # At 0.5 "one" is hit, at 0.9 "two" is missed: half of what is to be had.
    assert 50.0 == leave_one_out([ONE, two], lambda _: scores, STANDARD)


def test_the_service_measure_counts_alerts_people_would_get() -> None:
    found = service([ONE], at(51, 80, 85), 1.0)  # 85 is within the hour
    weeks = (99 - 15) * 300 / (7 * 86400)
    assert (1, 1) == (found.caught, found.events)
    assert found.false_per_week == pytest.approx(1 / weeks)
    assert 0 == service([ONE], at(30), 1.0).caught


def test_a_scorer_that_looks_ahead_is_found_out() -> None:
    series = [Series("s", ONE.times, (*(float(k % 7) for k in range(99)), 50.0), ())]

    def cheat(one: Series) -> Scores:
        return [value / max(one.values) for value in one.values]

    for scorer, honest in ((cheat, False), (nab_study.sentinel_scores, True)):
        assert honest == is_causal(series, scorer, {"s": scorer(series[0])})


def test_settings_are_tried_and_put_back() -> None:
    values = tuple(20.0 + k * k % 11 + (60 if k % 900 > 890 else 0) for k in range(3000))
    series = Series("s", tuple(300.0 * k for k in range(3000)), values, ())
    before = nab_study.sentinel_scores(series)
    with nab_study.settings({"TAIL": 4, "SUPPRESS_SECONDS": 3600}):
        assert before != nab_study.sentinel_scores(series)
    assert before == nab_study.sentinel_scores(series)


def write(folder: Path, windows: object, *, rows: str = "") -> None:
    (folder / "labels").mkdir()
    (folder / "data").mkdir()
    (folder / "labels" / "combined_windows.json").write_text(json.dumps(windows))
    rows = rows or "".join(
        f"2026-01-0{1 + k // 200} {k // 12 % 24:02}:{k % 12 * 5:02}:00,{k % 5}\n"
        for k in range(100)
    )
    (folder / "data" / "a.csv").write_text("timestamp,value\n" + rows)


def test_any_folder_of_series_and_windows_will_do(tmp_path: Path) -> None:
    write(tmp_path, {"a.csv": [["2026-01-01 04:10:00", "2026-01-01 04:55:00"]]})
    (one,) = read(tmp_path)
    assert (((50, 59),), 100, ()) == (one.windows, len(one.values), one.events)
    found = judge([one], {"a.csv": at(50)["one"]}, 0.5)
    assert 100.0 == found["profiles"]["standard"]["fixed"]
    assert "service" not in found  # there are no labels of events


@pytest.mark.parametrize(
    ("windows", "rows", "named"),
    [
        ({"b.csv": []}, "", "b.csv"),
        ({"a.csv": [["2026-01-01 04:11:00", "2026-01-01 04:55:00"]]}, "", "a.csv"),
        ({"a.csv": []}, "yesterday,1\n", "a.csv"),
        ([], "", "combined_windows.json"),
    ],
)
def test_a_broken_folder_is_an_error_that_names_the_file(
    tmp_path: Path, windows: object, rows: str, named: str
) -> None:
    write(tmp_path, windows, rows=rows)
    with pytest.raises(NabError, match=named):
        read(tmp_path)


def test_the_command_says_which_folder_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 1 == main(["--only-nab", "--nab", str(tmp_path)])
    assert str(tmp_path) in capsys.readouterr().err


def test_the_score_of_the_shipped_scorer_on_real_series() -> None:
    folder = Path(os.environ.get("NAB", ""))
    if not (folder / "labels").is_dir():
        pytest.skip("needs labelled series: NAB=PATH of a checkout")
    (one, *_) = read(folder)
    scores = {one.name: nab_study.sentinel_scores(one)}
    found = judge([one], scores, nab_study.ALERT)["profiles"]["standard"]
    assert 0 < found["fixed"] <= found["optimised"] <= 100
    assert not math.isnan(found["optimised"])
