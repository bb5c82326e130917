"""Playbooks on disk: reading them from the package or a directory, and what the CLI prints of them.

What lives here: the YAML reader with its limits, ``load_playbooks``, the JSON Schema, and the
command functions ``lint_command``, ``list_command``, ``show`` and ``match_texts``, which return
values or text and never print. What does not: the lint rules (``core/playbook_lint``), the ranking
(``core/playbook_match``), the rendering (``playbook_text``).
"""

from __future__ import annotations

import datetime as dt
import importlib.resources
import json
import re
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import yaml

from sentinel.core.playbook_lint import Finding, lint
from sentinel.core.playbook_match import MatchQuery, Ranked, match, rank
from sentinel.core.playbook_wording import Level
from sentinel.core.playbooks import Playbook, PlaybookBook
from sentinel.errors import PlaybookError
from sentinel.model import Direction, PlaybookMatch, Severity
from sentinel.playbook_text import render

MAX_FILE_BYTES = 256 * 1024
MAX_DEPTH = 50
"""Of lists and mappings in each other: a tenth of it is enough for a playbook."""
SUFFIXES = (".yaml", ".yml")
SCHEMA_FILE = "schema.json"

TypeScorer = Callable[[Sequence[str]], Sequence[tuple[str, float]]]
"""Crisis types of a group of texts, as ranked (slug, score) pairs: the language room's word."""


class _Readable(Protocol):
    """What ``Path`` and a packaged resource have in common here."""

    @property
    def name(self) -> str: ...

    def read_bytes(self) -> bytes: ...


# --- reading -------------------------------------------------------------------------------------


def load_playbooks(directory: Path | None = None) -> PlaybookBook:
    """Read the packaged playbooks and, over them, those of a user's directory.

    Args:
        directory: YAML files that override packaged playbooks of the same id, and add to them.

    Raises:
        PlaybookError: A file is not readable, not YAML, too large, or not a playbook; two files of
            one place have the same id; the directory does not exist. Names the file and the key.
    """
    found = _read_all(_packaged())
    if directory is not None:
        found |= _read_all(_listed(directory))
    ordered = dict(sorted(found.items()))
    return PlaybookBook(
        playbooks=tuple(playbook for playbook, _ in ordered.values()),
        files={playbook_id: name for playbook_id, (_, name) in ordered.items()},
    )


def parse_playbook(data: bytes, file: str) -> Playbook:
    """One playbook from the bytes of a YAML file.

    Raises:
        PlaybookError: Names the file and, where one is at fault, the key's path.
    """
    if len(data) > MAX_FILE_BYTES:
        raise PlaybookError(f"{len(data)} bytes, at most {MAX_FILE_BYTES} are read", path=file)
    try:
        content = _load(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise PlaybookError(f"not UTF-8 at byte {error.start}", path=file) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise PlaybookError(f"{error.problem or 'not YAML'}{place}", path=file) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise PlaybookError(f"not YAML: {type(error).__name__}", path=file) from error
    try:
        return msgspec.convert(content, Playbook)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `")
        key = where.rstrip("`").removeprefix("$").removeprefix(".")
        raise PlaybookError(message, path=file, key=key) from error


def _read_all(files: Sequence[_Readable]) -> dict[str, tuple[Playbook, str]]:
    found: dict[str, tuple[Playbook, str]] = {}
    for file in files:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise PlaybookError(error.strerror or "cannot be read", path=file.name) from error
        playbook = parse_playbook(data, file.name)
        if playbook.id in found:
            other = found[playbook.id][1]
            raise PlaybookError(f"id {playbook.id} is already in {other}", path=file.name, key="id")
        found[playbook.id] = (playbook, file.name)
    return found


def _packaged() -> list[_Readable]:
    folder = importlib.resources.files("playbooks")
    return sorted(
        (file for file in folder.iterdir() if file.name.endswith(SUFFIXES)),
        key=lambda file: file.name,
    )


def _listed(directory: Path) -> list[_Readable]:
    if not directory.is_dir():
        raise PlaybookError("no such directory", path=directory)
    return sorted(
        (file for file in directory.iterdir() if file.suffix in SUFFIXES and file.is_file()),
        key=lambda file: file.name,
    )


def _load(text: str) -> Any:
    """What the text says; looked through first, because what the loader builds of it may be far larger than it is."""
    depth = 0
    for event in yaml.parse(text, Loader=_StrictLoader):
        mark: Any = event.start_mark  # of the one loader or the other
        if isinstance(event, yaml.AliasEvent):  # a page of them expands to gigabytes
            raise yaml.MarkedYAMLError(problem="aliases are not read", problem_mark=mark)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=mark)
    return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader


class _StrictLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # ten times as fast where it is there
    """YAML without its traps: no duplicate keys, no dates, no ``no`` for False."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse a key that is given twice; plain YAML silently keeps the last."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is not None and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return mapping


_StrictLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", "-0123456789"),
    ("float", r"^-?[0-9]+\.[0-9]+$", "-0123456789"),
    ("null", r"^(?:null|~)$", "n~"),
):
    _StrictLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first)
    )


# --- schema --------------------------------------------------------------------------------------


def schema() -> dict[str, Any]:
    """The JSON Schema of a playbook file, as published in ``playbooks/schema.json``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Sentinel playbook",
        **msgspec.json.schema(Playbook),
    }


def schema_text() -> str:
    """``schema()`` as it is written to the file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


# --- for the command line ------------------------------------------------------------------------


class ListRow(msgspec.Struct, frozen=True):
    """One line of ``sentinel playbooks list``."""

    id: str
    direction: str
    types: tuple[str, ...]
    title: str
    steps: int
    clocks: tuple[str, ...]
    reviewed: str
    file: str


class MatchReport(msgspec.Struct, frozen=True):
    """What ``sentinel playbooks match`` answers."""

    match: PlaybookMatch
    ranking: tuple[Ranked, ...]


def lint_command(
    directory: Path | None,
    *,
    today: dt.date,
) -> list[Finding]:
    """Lint the packaged playbooks together with a user's directory.

    Args:
        directory: The user's playbooks, or None.
        today: Against which expiry and review dates are judged.

    Raises:
        PlaybookError: A file cannot be read at all.
    """
    return lint(load_playbooks(directory), today=today)


def lint_failed(findings: Sequence[Finding]) -> bool:
    """Whether findings make the command fail: warnings alone do not."""
    return any(finding.level is Level.ERROR for finding in findings)


def list_command(book: PlaybookBook, language: str = "en") -> list[ListRow]:
    """One row a playbook, by id."""
    return [
        ListRow(
            id=playbook.id,
            direction=playbook.direction.value,
            types=playbook.types,
            title=playbook.title.text(language),
            steps=len(playbook.steps),
            clocks=tuple(clock.regime for clock in playbook.clocks),
            reviewed=playbook.reviewed,
            file=book.files.get(playbook.id, ""),
        )
        for playbook in book
    ]


def show(book: PlaybookBook, playbook_id: str, language: str = "it") -> str:
    """One playbook as Markdown in Italian or English.

    Raises:
        PlaybookError: There is no playbook of that id; names those there are.
    """
    playbook = book.get(playbook_id)
    if playbook is None:
        known = ", ".join(each.id for each in book)
        raise PlaybookError(f"no playbook {playbook_id!r}; there are: {known}")
    return render(playbook, language)


def match_texts(
    texts: Sequence[str],
    book: PlaybookBook,
    *,
    scorer: TypeScorer | None = None,
    direction: Direction = Direction.THREAT,
    severity: Severity = Severity.HIGH,
    seen_before: Sequence[str] = (),
) -> MatchReport:
    """Rank all playbooks for some texts.

    Args:
        texts: Posts; hostile input.
        book: Playbooks in force.
        scorer: Gives crisis types of the texts; None to go by trigger terms alone.
        direction: Threat or opportunity.
        severity: Playbooks that do not cover it are left out.
        seen_before: Crisis types in the brand's history.
    """
    query = MatchQuery(
        direction=direction,
        severity=severity,
        crisis_types=tuple(scorer(texts)) if scorer is not None and texts else (),
        texts=tuple(texts),
        seen_before=tuple(seen_before),
    )
    return MatchReport(match=match(query, book.playbooks), ranking=rank(query, book.playbooks))
