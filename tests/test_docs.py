"""The documents are true of the code: commands, keys, paths, links, tables."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec
import pytest
import typer.main
from typer.core import TyperGroup

from sentinel import __version__, config
from sentinel.cli import app
from sentinel.config import build_config
from sentinel.core.oncall import Rota
from sentinel.core.playbooks import Role
from sentinel.model import CRISIS_TYPES
from sentinel.notify import CONFIGS as NOTIFIERS
from sentinel.runtime.metrics import Metrics
from sentinel.sources import REGISTRY as SOURCES
from sentinel.sources.base import SourceConfig

ROOT = Path(__file__).parent.parent
README, MAKEFILE = ROOT / "README.md", ROOT / "Makefile"
DECISIONS = ROOT / "docs" / "decisions"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

Row = tuple[str, str]
"""A configuration key and its default as the page writes it."""

IN_WORDS = {("bluesky", "hosts"): "the four public servers"}
"""Defaults that the page puts into words."""


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code_in(text: str) -> Iterator[str]:
    """Code blocks and code spans."""
    yield from re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    )


def prose_in(text: str) -> str:
    """Everything but code blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


# --- commands ------------------------------------------------------------------------------------


def commands() -> dict[str, set[str]]:
    """Every command with its options."""
    found: dict[str, set[str]] = {}

    def walk(group: TyperGroup, prefix: str) -> None:
        for name, command in group.commands.items():
            if isinstance(command, TyperGroup):
                walk(command, f"{prefix} {name}")
            else:
                found[f"{prefix} {name}"] = {
                    option
                    for parameter in command.params
                    for option in (*parameter.opts, *parameter.secondary_opts)
                }

    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    walk(root, "sentinel")
    return found


def command_rows() -> dict[str, str]:
    """Command to its row in the README."""
    rows = re.findall(r"^\| `(sentinel [^`]+)` \|.*$", text_of(README), flags=re.MULTILINE)
    lines = [line for line in text_of(README).splitlines() if line.startswith("| `sentinel ")]
    return {
        " ".join(re.findall(r"(?<=\s)[a-z]+(?=\s|$)", f" {row}")): line
        for row, line in zip(rows, lines, strict=True)
    }


def test_the_readme_has_every_command_and_no_other() -> None:
    assert sorted(commands()) == sorted(command_rows())


def test_options_named_in_the_readme_exist() -> None:
    known = commands()
    for command, line in command_rows().items():
        assert set(re.findall(r"--[a-z-]+", line)) <= known[command], line


@every_page
def test_commands_named_on_a_page_exist(page: Path) -> None:
    first_words = {command.split()[1] for command in commands()}
    for code in code_in(text_of(page)):
        for name in re.findall(r"(?:^|\$ |/|&& )sentinel ([a-z]+)\b", code, flags=re.MULTILINE):
            if not denied(page, f"sentinel {name}"):
                assert name in first_words, code


def denied(page: Path, words: str) -> bool:
    """Whether the page says that there is no such thing."""
    return any(words in line for line in text_of(page).splitlines() if "There is no" in line)


@every_page
def test_make_targets_named_on_a_page_exist_and_have_a_word_of_help(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## \w", text_of(MAKEFILE), flags=re.MULTILINE))
    named = {
        target
        for code in code_in(text_of(page))
        for target in re.findall(r"(?:^|&& )make ([a-z][a-z-]*)", code, flags=re.MULTILINE)
    }
    assert named <= targets


def test_every_make_rule_has_a_word_of_help_and_is_phony() -> None:
    rules = set(re.findall(r"^([a-z-]+):", text_of(MAKEFILE), flags=re.MULTILINE))
    phony = re.findall(r"^\.PHONY:(.*)$", text_of(MAKEFILE), flags=re.MULTILINE)
    assert rules <= {name for names in phony for name in names.split()}
    assert rules == set(re.findall(r"^([a-z-]+):.*## \w", text_of(MAKEFILE), flags=re.MULTILINE))


# --- configuration -------------------------------------------------------------------------------


def toml(value: object) -> str:
    """A default as one would write it in the file."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(toml(item) for item in value)}]"
    if isinstance(value, dict):
        return "{}" if not value else str(value)
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return json.dumps(value, ensure_ascii=False)


def rows_of(struct: type[msgspec.Struct], tag: str = "") -> list[Row]:
    rows = []
    for field in msgspec.structs.fields(struct):
        default = "required"
        if (tag, field.name) in IN_WORDS:
            default = IN_WORDS[tag, field.name]
        elif field.default is None:
            default = "none"
        elif field.default is not msgspec.NODEFAULT:
            default = f"`{toml(field.default)}`"
        elif field.default_factory is not msgspec.NODEFAULT:
            default = f"`{toml(field.default_factory())}`"
        rows.append((field.encode_name, default))
    return rows


def lists() -> dict[str, type[msgspec.Struct]]:
    """``[[...]]`` tables of one kind: brands, people, duties and the like."""
    hints = {**get_type_hints(config.Config), **get_type_hints(Rota)}
    return {
        name: get_args(hints[name])[0]
        for name in config._LISTS
        if name not in {"sources", "notifiers"}
    }


def expected_tables() -> dict[str, list[Row]]:
    """Heading of the page to the keys that must be under it."""
    common = rows_of(SourceConfig)
    tables = {f"`[{name}]`": rows_of(struct) for name, struct in config._TABLES.items()}
    tables |= {
        **{f"`[[{name}]]`": rows_of(struct) for name, struct in lists().items()},
        "`[[sources]]`": [("type", "required"), *common],
        "`[[notifiers]]`": [("type", "required")],
    }
    for tag, (struct, _) in SOURCES.items():
        own = [row for row in rows_of(struct, tag) if row not in common]
        tables[f'`type = "{tag}"`'] = own
    for tag, kind in NOTIFIERS.items():
        tables[f'`type = "{tag}"`'] = rows_of(kind, tag)
    return tables


def documented_tables() -> dict[str, list[Row]]:
    page = text_of(ROOT / "docs" / "configuration.md")
    parts = re.split(r"^##+ (.*)$", page, flags=re.MULTILINE)[1:]
    return {
        heading: re.findall(r"^\| `(\w+)` \| (.*?) \|", body, flags=re.MULTILINE)
        for heading, body in zip(parts[::2], parts[1::2], strict=True)
    }


def test_the_configuration_page_has_every_table_and_no_other() -> None:
    assert sorted(expected_tables()) == sorted(documented_tables())


@pytest.mark.parametrize("heading", sorted(expected_tables()))
def test_a_table_of_the_page_has_every_key_with_its_default_and_no_other(heading: str) -> None:
    assert sorted(expected_tables()[heading]) == sorted(documented_tables().get(heading, []))


def test_every_key_has_a_meaning() -> None:
    for line in text_of(ROOT / "docs" / "configuration.md").splitlines():
        if line.startswith("| `"):
            assert len(line.split(" | ")[-1].strip(" |")) > 3, line


def test_the_page_names_every_role_source_and_notifier() -> None:
    page = text_of(ROOT / "docs" / "configuration.md")
    roles = re.search(r"^\| `roles` .*$", page, flags=re.MULTILINE)
    assert roles is not None
    assert [role.value for role in Role] == re.findall(r"`([a-z-]+)`", roles[0])[1:]
    for names in (SOURCES, NOTIFIERS):
        kinds = [f"`{name}`" for name in sorted(names)]
        assert f"{', '.join(kinds[:-1])} or {kinds[-1]}." in page


def test_the_readme_s_configuration_is_a_good_one() -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```", text_of(README), flags=re.MULTILINE | re.DOTALL)
    built = build_config(tomllib.loads(block), Path("sentinel.toml"), {})
    assert ["aurora"] == [brand.id for brand in built.brands]
    assert len(built.enabled_sources()) == len(built.notifiers) == 1


# --- links, paths, names -------------------------------------------------------------------------


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {
        slug(heading) for heading in re.findall(r"^#+ (.*)$", prose_in(text_of(page)), re.MULTILINE)
    }


def links(page: Path) -> list[str]:
    found = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose_in(text_of(page)))
    return [link for link in found if not re.match(r"[a-z]+:", link)]


@every_page
def test_every_relative_link_of_a_page_resolves(page: Path) -> None:
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        exists = target.exists() and target.is_relative_to(ROOT)
        if not exists or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@every_page
def test_files_of_the_project_named_on_a_page_exist(page: Path) -> None:
    rooms = "sentinel|detectors|playbooks|tests|docs|deploy|corpus|benchmarks"
    named = {
        path
        for code in code_in(text_of(page))
        for path in re.findall(rf"(?<![\w./-])((?:{rooms})/[\w./-]+\.[a-z]+)\b", code)
    }
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


@every_page
def test_no_page_names_a_place_on_somebody_s_machine(page: Path) -> None:
    assert re.findall(r"(?<![\w.])/(?:work|root|home|Users)\b[\w/]*", text_of(page)) == []


@every_page
def test_metrics_named_on_a_page_exist(page: Path) -> None:
    families = list(Metrics().registry.collect())
    known = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    named = {
        re.sub(r"_(bucket|sum|count)$", "", name)
        for code in code_in(text_of(page))
        for name in re.findall(r"\b(sentinel_[a-z_]+)(?=[\s`{\[]|$)", code)
    }
    assert sorted(named - known - NO_METRICS) == []


NO_METRICS = {"sentinel_token"}
"""Names of files that look like metrics."""


def test_no_page_is_an_island() -> None:
    linked = {
        (page.parent / link.partition("#")[0]).resolve() for page in PAGES for link in links(page)
    }
    assert [page for page in PAGES if page != README and page not in linked] == []


# --- tables --------------------------------------------------------------------------------------


def names(requirements: list[object]) -> set[str]:
    found = (re.match(r"[\w.-]+", one) for one in requirements if isinstance(one, str))
    return {name[0].lower() for name in found if name is not None}


def test_every_dependency_has_a_reason_and_a_licence() -> None:
    project: Mapping[str, object] = tomllib.loads(text_of(ROOT / "pyproject.toml"))
    wanted: set[str] = set()
    match project:
        case {
            "project": {"dependencies": list(run), "optional-dependencies": dict(extras)},
            "dependency-groups": dict(groups),
        }:
            for some in (run, *extras.values(), *groups.values()):
                wanted |= names(some)
    rows = re.findall(
        r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$",
        text_of(DECISIONS / "0002-dependencies.md"),
        flags=re.MULTILINE,
    )
    assert sorted(wanted) == sorted(name.lower() for name, _, _ in rows)
    assert all(licence.strip() and reason.strip() for _, licence, reason in rows)


def test_dependencies_said_to_be_unused_are_unused() -> None:
    page = text_of(DECISIONS / "0002-dependencies.md")
    said = re.findall(r"^\| `(\w+)` .*nothing imports it yet", page, flags=re.MULTILINE)
    files = [file for room in ("sentinel", "detectors") for file in (ROOT / room).rglob("*.py")]
    used = {
        name
        for file in files
        for name in re.findall(r"^\s*(?:import|from) (\w+)", text_of(file), flags=re.MULTILINE)
    }
    assert [name for name in said if name in used] == []


def test_every_dependency_is_pinned() -> None:
    pins = {
        re.sub(r"[-_.]+", "-", line.split("==")[0]).lower()
        for line in text_of(ROOT / "constraints.txt").splitlines()
        if "==" in line
    }
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))
    assert sorted(names(project["project"]["dependencies"]) - pins) == []


def test_decisions_are_numbered_without_holes_and_listed() -> None:
    files = sorted(DECISIONS.glob("0*.md"))
    index = re.findall(r"\[(\d+)\]\((\S+)\)", text_of(DECISIONS / "README.md"))
    assert [(str(n), file.name) for n, file in enumerate(files, start=1)] == index
    for number, file in enumerate(files, start=1):
        assert file.name.startswith(f"{number:04}-")
        assert text_of(file).startswith(f"# {number}. "), file.name
        assert "**Decision.**" in text_of(file), file.name


def test_the_glossary_has_every_crisis_type_and_no_other() -> None:
    table = text_of(ROOT / "docs" / "glossary.md").partition("## Crisis types")[2]
    assert list(CRISIS_TYPES) == re.findall(r"^\| `([a-z-]+)` \|", table, flags=re.MULTILINE)


def test_words_of_the_glossary_are_in_order() -> None:
    table = text_of(ROOT / "docs" / "glossary.md").partition("## Crisis types")[0]
    words = re.findall(r"^\| ([a-z][^|]*?) \|", table, flags=re.MULTILINE)[1:]
    assert words == sorted(words, key=str.lower)


def test_the_changelog_knows_this_version() -> None:
    assert re.search(
        rf"^## {re.escape(__version__)}\b", text_of(ROOT / "CHANGELOG.md"), re.MULTILINE
    )
