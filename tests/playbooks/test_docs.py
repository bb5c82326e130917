"""``docs/playbooks.md`` names every rule, key and common placeholder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sentinel.core.playbooks import COMMON_PLACEHOLDERS, Playbook
from sentinel.model import CRISIS_TYPES
from sentinel.playbook_files import load_playbooks

BOOK = load_playbooks()
ROOT = Path(__file__).parent.parent.parent
DOCS = (ROOT / "docs" / "playbooks.md").read_text("utf-8")
CORE = ROOT / "sentinel" / "core"
SOURCES = [(CORE / name).read_text("utf-8") for name in ("playbook_lint.py", "playbook_wording.py")]
RULES = sorted(
    {
        rule
        for source in SOURCES
        for rule in re.findall(r'"((?:[a-z]+-)+[a-z]+|untranslated)"', source)
    }
    - set(CRISIS_TYPES)
)


def test_rules_are_found_in_the_source() -> None:
    assert {"statement-expired", "test-failing", "untranslated"} <= set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_of_the_lint_is_documented(rule: str) -> None:
    assert f"`{rule}`" in DOCS


@pytest.mark.parametrize("key", list(Playbook.__struct_fields__))
def test_every_key_of_a_playbook_is_documented(key: str) -> None:
    assert f"`{key}`" in DOCS


@pytest.mark.parametrize("name", sorted(COMMON_PLACEHOLDERS))
def test_every_common_placeholder_is_documented(name: str) -> None:
    assert f"`{{{name}}}`" in DOCS


def test_every_legal_source_of_the_playbooks_is_in_the_table() -> None:
    sources = {clock.source for playbook in BOOK for clock in playbook.clocks}
    assert sorted(source for source in sources if source not in DOCS) == []
