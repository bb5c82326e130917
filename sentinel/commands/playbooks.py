"""``sentinel playbooks lint|list|show|match``: printing of what ``playbook_files`` answers."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sentinel.core.storyline import Storyline
from sentinel.language import Post, load_scorer
from sentinel.model import Author, Direction, Match, Mention, Sighting
from sentinel.playbook_files import (
    lint_command,
    lint_failed,
    list_command,
    load_playbooks,
    match_texts,
    show,
)

PAPER = 140
"""Columns where the output goes to a file."""


def lint(directory: Path | None, today: dt.date) -> int:
    """Print findings; 1 if there is an error among them."""
    findings = lint_command(directory, today=today)
    for finding in findings:
        sys.stdout.write(f"{finding.file}: {finding.key}: {finding.level}: {finding.message}\n")
    number = len(load_playbooks(directory).playbooks)
    sys.stderr.write(f"{number} playbooks, {len(findings)} findings\n")
    return int(lint_failed(findings))


def list_all(directory: Path | None, language: str) -> int:
    """Print one row a playbook."""
    table = Table("id", "direction", "title", "steps", "clocks", "reviewed")
    table.columns[0].no_wrap = True  # ids are there to be copied
    for row in list_command(load_playbooks(directory), language):
        table.add_row(
            row.id, row.direction, row.title, str(row.steps), ", ".join(row.clocks), row.reviewed
        )
    console = Console()
    if not console.is_terminal:
        console = Console(width=PAPER)
    console.print(table)
    return 0


def show_one(directory: Path | None, playbook: str, language: str) -> int:
    """Print one playbook as Markdown."""
    sys.stdout.write(show(load_playbooks(directory), playbook, language) + "\n")
    return 0


def match(directory: Path | None, texts: Sequence[str], direction: Direction) -> int:
    """Rank playbooks for texts, as the service would; 1 if none matches."""

    def types(posts: Sequence[str]) -> Sequence[tuple[str, float]]:
        story = Storyline(direction=direction)
        verdicts = load_scorer().score([Post(text) for text in posts])
        for number, (text, verdict) in enumerate(zip(posts, verdicts, strict=True)):
            mention = Mention(
                str(number), "match", "match", 0.0, 0.0, text, author=Author(id=str(number))
            )
            story.add(Sighting(mention, (Match("", ""),), verdict))
        return story.ranked_types()

    report = match_texts(list(texts), load_playbooks(directory), scorer=types, direction=direction)
    found = report.match
    head = found.playbook if found.matched else f"no match; {found.playbook}"
    sys.stdout.write(f"{head}\n")
    for ranked in report.ranking[:5]:
        sys.stdout.write(f"  {ranked.score:.2f}  {ranked.playbook}  {'; '.join(ranked.reasons)}\n")
    return 0 if found.matched else 1
