import random
import re
from pathlib import Path

import msgspec
import pytest

import sentinel.sources
from sentinel.runtime.clock import SystemClock
from sentinel.runtime.metrics import SOURCE_FAILURES, Metrics
from sentinel.sources import REGISTRY, AnySourceConfig, build
from sentinel.sources.base import SourceContext

TABLES = [
    {"type": "bluesky", "name": "a"},
    {"type": "file", "name": "a", "path": "x.ndjson", "field_map": {"text": "body"}},
    {"type": "http", "name": "a", "tokens": ["fictional-token-for-web"], "lateness_seconds": 30},
    {"type": "mqtt", "name": "a", "host": "localhost", "topics": ["vendor/#"]},
]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table["type"])
async def test_every_registered_table_is_read_and_built(table: dict[str, object]) -> None:
    config = msgspec.convert(table, AnySourceConfig)
    context = SourceContext(SystemClock(), Metrics(["a"]), random.Random(1))
    source = build(config, context)
    assert (source.name, source.lateness_seconds) == ("a", config.lateness_seconds)
    assert config.enabled
    assert repr(config) == f"{type(config).__name__}(name='a')"


def test_the_tables_above_are_all_there_are() -> None:
    assert {table["type"] for table in TABLES} == set(REGISTRY)
    for tag, (struct, _) in REGISTRY.items():
        assert struct.__struct_config__.tag == tag


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table["type"])
def test_an_unknown_key_is_named(table: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError, match="colour"):
        msgspec.convert(table | {"colour": "red"}, AnySourceConfig)


def test_every_source_maps_its_failures_onto_the_closed_reasons() -> None:

    root = Path(sentinel.sources.__file__).parent
    used = {
        reason
        for file in root.glob("*.py")
        for reason in re.findall(r'reason="(\w+)"', file.read_text())
    }
    assert used <= set(SOURCE_FAILURES), used


def test_docs_have_a_section_for_every_source_and_name_every_key() -> None:
    text = (Path(__file__).parents[2] / "docs" / "sources.md").read_text()
    for tag, (struct, _) in REGISTRY.items():
        assert f'type = "{tag}"' in text
        for key in struct.__struct_fields__:
            assert f"`{key}`" in text, f"{tag}: {key}"
