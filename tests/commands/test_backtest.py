"""``sentinel backtest`` as people call it."""

import gzip
import json
from pathlib import Path

import pytest

from sentinel.commands.backtest import backtest
from sentinel.commands.chart import Mark, chart
from sentinel.errors import SourceError
from sentinel.sources.counts import holds_counts, read_counts
from tests.test_backtest import counted, past


def write_counts(path: Path) -> None:
    lines = ["timestamp,brand,mentions,negative,channel"]
    lines += [
        f"{row.start:.0f},{row.brand},{row.mentions},{row.negative},{row.channel}"
        for row in counted(past())
    ]
    data = "\n".join(lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.mark.parametrize("name", ["counts.csv", "counts.csv.gz"])
def test_counts_are_told_from_mentions_by_their_header(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_counts(tmp_path / name)
    assert 0 == backtest(str(tmp_path / name), as_json=True)
    (line,) = [json.loads(each) for each in capsys.readouterr().out.splitlines()]
    assert list(line)[:12] == [
        "brand",
        "kind",
        "direction",
        "severity",
        "opened_at",
        "detected_at",
        "resolved_at",
        "observed",
        "expected",
        "negative_share",
        "playbook",
        "incident_id",
    ]


def test_two_budgets_are_shown_side_by_side_with_their_spend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_counts(tmp_path / "counts.csv")
    assert 0 == backtest(str(tmp_path / "counts.csv"), budget_days=30, compare=3)
    said = capsys.readouterr().out
    assert (
        "aurora: one false page in 30 days would have paged 2 times in 19 hours and 11"
        " minutes: 1 threat, 0 opportunities," in said
    )
    assert "aurora: one false page in 3 days would have paged" in said
    assert "1 alert is raised with both." in said


def test_the_answer_is_in_the_asked_or_configured_language(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_counts(tmp_path / "counts.csv")
    config = tmp_path / "sentinel.toml"
    config.write_text('[[brands]]\nid = "aurora"\nname = "Aurora"\n')
    for given in ({"language": "it"}, {"config_path": config}):
        assert 0 == backtest(str(tmp_path / "counts.csv"), compare=3, **given)
        said = capsys.readouterr().out
        assert "aurora: con un falso allarme ogni 30 giorni avrebbe chiamato 2 volte in" in said
        assert "minaccia, gravità" in said
        assert "would have" not in said
    assert 0 == backtest(str(tmp_path / "counts.csv"), config_path=config, as_json=True)
    assert '"direction":"threat"' in capsys.readouterr().out


def test_a_file_of_mentions_is_not_taken_for_counts(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("id,published_at,text\n1,2026-01-01T00:00:00Z,ciao\n")
    assert not holds_counts(tmp_path / "m.csv")
    assert not holds_counts("-")


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("yesterday,3,1", "is no time"),
        ("2026-01-01T00:00:00Z,-3,1", "mentions is no count"),
        ("2026-01-01T00:00:00Z,3,x", "negative is no count"),
        ("2026-01-01T00:00:00Z,3,4", "more negative and positive"),
        ("2026-01-01T00:00:00Z,nan,0", "mentions is no count"),
    ],
)
def test_a_row_that_is_no_count_is_named(row: str, word: str, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(
        f"timestamp,mentions,negative\n2026-01-01T00:00:00Z,1,0\n{row}\n"
    )
    with pytest.raises(SourceError, match=f"line 3: .*{word}"):
        list(read_counts(tmp_path / "c.csv"))


def test_the_chart_shows_the_busiest_hour_and_every_alert() -> None:
    hours = {n * 3600: [10 if n != 50 else 90, 1] for n in range(100)}
    lines = chart(hours, [Mark(50 * 3600 + 600), Mark(99 * 3600, threat=False)], width=60, height=4)
    assert lines[0].startswith(" 90│")
    assert 1 == sum(line.count("█") for line in lines[:1])
    assert "▲" in lines[4]
    assert "△" in lines[4]
    assert lines[0].index("█") == lines[4].index("▲")
    assert max(len(line) for line in lines) <= 60


def test_the_chart_of_nothing_is_nothing() -> None:
    assert [] == chart({}, [], width=80)
