import asyncio
import gzip
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from sentinel.errors import SourceError
from sentinel.model import Dropped, DropReason, Mention, SourceState
from sentinel.runtime.clock import ReplayClock
from sentinel.runtime.metrics import Metrics
from sentinel.sources.base import SourceContext
from sentinel.sources.files import FileConfig, FileSource, read_mentions
from tests.fakes.intake import FakeIntake

AT = 1795330864


def lines(count: int, first: int = 0) -> bytes:
    rows = (
        {"id": f"m-{n}", "ts": AT + n, "text": f"post {n}", "brand": "aurora"}
        for n in range(first, first + count)
    )
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def mentions(path: Path, **options: object) -> list[Mention]:
    found = list(read_mentions(path, source="past", **options))  # type: ignore[arg-type]  # passed through
    assert all(isinstance(one, Mention) for one in found), found
    return [one for one in found if isinstance(one, Mention)]


def source(path: Path | str, **keys: object) -> FileSource:
    config = FileConfig(name="past", path=str(path), **keys)  # type: ignore[arg-type]  # passed through
    context = SourceContext(ReplayClock(AT + 1_000_000.0), Metrics(["past"]), random.Random(1))
    return FileSource(config, context)


def test_ndjson_plain_and_gzip_give_the_same_mentions(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.ndjson", tmp_path / "b.ndjson.gz"
    plain.write_bytes(lines(3))
    packed.write_bytes(gzip.compress(lines(3)))
    assert mentions(plain) == mentions(packed)
    assert [one.id for one in mentions(plain)] == ["m-0", "m-1", "m-2"]


def test_gzip_and_format_are_told_by_content_where_the_name_says_nothing(tmp_path: Path) -> None:
    for name, data in (("x", gzip.compress(lines(2))), ("y", b"id,ts,text\n1,2020-01-01,ciao\n")):
        (tmp_path / name).write_bytes(data)
    assert [len(mentions(tmp_path / name)) for name in ("x", "y")] == [2, 1]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_with_a_header_quotes_and_dotted_columns(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "a.csv.gz"
    rows = [
        ["ID", "published_at", "text", "author.id", "author.followers", "Voto"],
        ["1", "2026-11-22T07:01:04Z", '"due\nrighe, ; e ""virgolette"""', "u1", "12", ""],
        ["2", "1795330865", "seconda", "", "", "x"],
    ]
    data = "\ufeff" + "\r\n".join(delimiter.join(row) for row in rows)
    path.write_bytes(gzip.compress(data.encode()))
    first, second = mentions(path)
    assert first.text == 'due\nrighe, ; e "virgolette"'
    assert (first.author.id, first.author.followers) == ("u1", 12)
    assert (second.id, second.text, second.author.id) == ("2", "seconda", "")


def test_a_field_map_reads_columns_and_constants(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Data;Titolo;Autore.Nome\n2026-11-22T07:01:04Z;Ciao;Sam\n")
    mapping = {
        "published_at": "Data",
        "text": "Titolo",
        "author.name": "Autore.Nome",
        "channel": "=news",
    }
    (only,) = mentions(path, field_map=mapping)
    assert (only.text, only.author.name, only.channel) == ("Ciao", "Sam", "news")
    assert only.id.startswith("line:2:")


def test_bad_lines_are_dropped_with_their_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    huge = b'{"id":"h","text":"' + b"x" * 5_000_000 + b'"}\n'
    path.write_bytes(lines(1) + b"{broken\n\n" + huge + b'{"id":"1"}\n\xff\xfe\x00\n' + lines(1, 9))
    found = list(read_mentions(path, source="past"))
    assert [
        one.reason if isinstance(one, Dropped) else getattr(one, "id", "") for one in found
    ] == [
        "m-0",
        DropReason.MALFORMED,
        DropReason.TOO_LARGE,
        DropReason.MALFORMED,
        DropReason.MALFORMED,
        "m-9",
    ]


def test_csv_with_a_5_mb_line_or_an_open_quote_drops_it_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    row = "{},2026-11-22T07:01:04Z,{}\n"
    text = row.format(1, "ok") + row.format(2, "x" * 5_000_000) + row.format(3, "ok")
    filler = "".join(row.format(100 + n, "y" * 400) for n in range(400))
    path.write_text("id,ts,text\n" + text + row.format(4, '"open') + filler)
    found = list(read_mentions(path, source="past"))
    assert [one.id for one in found if isinstance(one, Mention)][:2] == ["1", "3"]
    assert next(one.id for one in reversed(found) if isinstance(one, Mention)) == "499"
    drops = [one.reason for one in found if isinstance(one, Dropped)]
    assert drops == [DropReason.TOO_LARGE, DropReason.TOO_LARGE]


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_broken_gzip_names_file_and_line_after_what_could_be_read(
    tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "a.ndjson.gz"
    data = bytearray(gzip.compress(lines(20_000)))
    if damage == "cut":
        del data[len(data) // 2 :]
    else:
        data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    read = []
    with pytest.raises(SourceError, match=r"a\.ndjson\.gz: line \d+: broken gzip") as caught:
        read.extend(read_mentions(path, source="past"))
    assert caught.value.reason == "protocol"


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        list(read_mentions(tmp_path / "none.csv", source="past"))


def test_a_json_array_is_refused_with_a_word_on_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[\n{"id":"1"}\n]')
    with pytest.raises(SourceError, match="one object a line"):
        list(read_mentions(path, source="past"))


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    for name in ("a.csv", "b.ndjson", "c"):
        (tmp_path / name).touch()
        assert mentions(tmp_path / name) == []


def test_progress_counts_compressed_bytes_up_to_the_total(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson.gz"
    path.write_bytes(gzip.compress(lines(5_000)))
    seen: list[tuple[int, int]] = []
    mentions(path, progress=lambda done, total: seen.append((done, total)))
    size = path.stat().st_size
    assert (size, size) == seen[-1]
    assert sorted(seen) == seen


def test_standard_input_is_read_with_gzip_and_all(tmp_path: Path) -> None:
    script = (
        "from sentinel.sources.files import read_mentions\n"
        "print([one.id for one in read_mentions('-', source='past')])"
    )
    for data in (lines(2), gzip.compress(lines(2))):
        done = subprocess.run(
            [sys.executable, "-c", script], input=data, capture_output=True, check=False
        )
        assert done.stdout == b"['m-0', 'm-1']\n", done.stderr


async def test_a_file_source_delivers_everything_in_batches_with_positions(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(lines(1_203) + b"broken\n")
    intake = FakeIntake()
    await source(path).run(intake)
    assert [f"m-{n}" for n in range(1_203)] == [one.id for one in intake.mentions]
    assert max(len(one.mentions) for one in intake.deliveries) <= 500
    assert [d for one in intake.deliveries for d in one.dropped] == [(DropReason.MALFORMED, 1)]
    assert intake.positions["past"].partition(":")[0] == "1204"
    assert intake.states == [SourceState.ALIVE]


async def test_a_file_source_resumes_behind_its_committed_position(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(lines(1_000))
    intake = FakeIntake(auto_commit=False, room=2)
    running = asyncio.create_task(source(path).run(intake))
    await intake.until(lambda: len(intake.pending) == 2)
    intake.commit(1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    committed = len(intake.store)
    assert 0 < committed < 1_000
    again = FakeIntake()
    again.positions = intake.positions
    await source(path).run(again)
    assert [f"m-{n}" for n in range(committed, 1_000)] == [one.id for one in again.mentions]


async def test_another_file_under_the_same_name_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(lines(50))
    intake = FakeIntake()
    await source(path).run(intake)
    path.write_bytes(lines(50, first=500))
    await source(path).run(intake)
    assert len(intake.store) == 100


async def test_run_returns_only_after_the_last_commit(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(lines(3))
    intake = FakeIntake(auto_commit=False)
    running = asyncio.create_task(source(path).run(intake))
    await intake.until(lambda: len(intake.mentions) == 3)
    await asyncio.sleep(0.05)
    assert not running.done()
    intake.commit()
    await running


async def test_only_an_ordered_file_claims_a_watermark(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(lines(3))
    for ordered, expected in ((True, AT + 2.0), (False, 0.0)):
        intake = FakeIntake()
        await source(path, ordered=ordered).run(intake)
        assert expected == intake.deliveries[-1].watermark


async def test_a_broken_gzip_delivers_what_came_before_and_then_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson.gz"
    data = gzip.compress(lines(20_000))
    path.write_bytes(data[: len(data) // 2])
    intake = FakeIntake()
    with pytest.raises(SourceError, match="broken gzip"):
        await source(path).run(intake)
    assert len(intake.mentions) > 1_000


async def test_a_live_pipe_is_delivered_line_by_line_without_waiting_for_a_full_batch() -> None:
    script = (
        "import asyncio, random\n"
        "from sentinel.runtime.clock import SystemClock\n"
        "from sentinel.runtime.metrics import Metrics\n"
        "from sentinel.sources.base import SourceContext\n"
        "from sentinel.sources.files import FileConfig, FileSource\n"
        "from tests.fakes.intake import FakeIntake\n"
        "class Printing(FakeIntake):\n"
        "    async def put(self, delivery):\n"
        "        for one in delivery.mentions: print(one.id, flush=True)\n"
        "        return await super().put(delivery)\n"
        "context = SourceContext(SystemClock(), Metrics(['in']), random.Random(1))\n"
        "asyncio.run(FileSource(FileConfig(name='in', path='-'), context).run(Printing()))\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    async with asyncio.timeout(30):
        for number in range(3):
            process.stdin.write(lines(1, first=number))
            assert f"m-{number}\n".encode() == await process.stdout.readline()
        process.stdin.close()
        assert await process.wait() == 0
