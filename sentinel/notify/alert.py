"""What an alert says, as plain values that every notifier renders in its own way.

What lives here: ``AlertMessage`` and its parts. What does not: how they are worded (``message`` and its siblings) and
any vendor's mark-up. Texts are plain, in one language, and already cleaned (``safe_text.clean``); they are *not*
escaped: who puts them into HTML, Slack's mrkdwn or a terminal's mark-up escapes them there.
"""

from __future__ import annotations

import msgspec

from sentinel.model import Direction, SeriesPoint, Severity


class Part(msgspec.Struct, frozen=True):
    """Base of the message's parts."""


class QuoteLine(Part, frozen=True):
    """A real post.

    Attributes:
        role: Why it is shown: "first post", "most spread", "thread 1"; empty for a representative one.
        author: As the source writes it, such as ``@handle``; empty where unknown.
        label: How it was read: "negative", "positive", "neutral"; empty where not said.
        detail: Followers and reposts in words; empty where unknown.
        url: ``http`` or ``https`` only; empty where there is none.
        key: Short name of the post, for controls that say something about it.
    """

    text: str
    author: str
    channel: str
    time: str
    label: str = ""
    role: str = ""
    detail: str = ""
    url: str = ""
    key: str = ""

    @property
    def byline(self) -> str:
        """Everything but the text, in one line."""
        known = (self.role, self.author, self.channel, self.time, self.label, self.detail)
        return " · ".join(part for part in known if part)


class ChecklistRow(Part, frozen=True):
    """A step of the plan.

    Attributes:
        role: The role in words; ``person`` who has it now, empty if nobody is named.
        due: "by 22:55"; ``due_at`` is the same in epoch seconds.
        done: "done by Anna at 22:49"; empty while open.
        phase: 15, 60 or 180: the block it belongs to, in minutes; 0 where the plan no longer has the step.
        approval: Who must agree and how fast; empty where nobody must.
    """

    id: str
    title: str
    role: str
    person: str
    due: str
    due_at: float
    phase: int
    overdue: bool = False
    optional: bool = False
    done_by: str = ""
    done: str = ""
    detail: str = ""
    approval: str = ""

    @property
    def who(self) -> str:
        """Role and person: "Ufficio legale (Anna Bianchi)"."""
        return f"{self.role} ({self.person})" if self.role and self.person else self.role

    @property
    def byline(self) -> str:
        """By when and by whom; or who did it."""
        return " · ".join(part for part in (self.done or self.due, self.who) if part)


class StatementText(Part, frozen=True):
    """A holding statement in both languages of the house.

    Attributes:
        channel: Where it is meant to be read, in words.
        it, en: The text, possibly with line breaks; what is still to be filled in stands in braces.
        blanks: What to fill in: "{leader}: name and title of who spoke".
        note: When to use it and when not.
        approval: Who must agree before it goes out.
        validity: Until when it is approved, or that it has expired.
        expired: It must not be used without a new approval.
    """

    id: str
    channel: str
    it: str
    en: str
    validity: str
    expired: bool
    approval: str = ""
    note: str = ""
    blanks: tuple[str, ...] = ()


class ClockLine(Part, frozen=True):
    """A statutory deadline that may apply.

    Attributes:
        text: Regime, and the event from which it runs.
        deadlines: What must be done within how long, with the moment if the clock began with the alert.
        confirm: That a person decides whether it applies, and what that person looks at.
        source: Address of the legal text.
    """

    regime: str
    text: str
    deadlines: tuple[str, ...]
    confirm: str
    source: str


class Headings(Part, frozen=True):
    """The words over each part, in the reader's language."""

    trend: str
    where: str
    who: str
    posts: str
    terms: str
    threads: str
    kinds: str
    path: str
    past: str
    confidence: str
    caveats: str
    severity: str
    playbook: str
    pause: str
    never: str
    statement: str
    checklist: str
    clocks: str
    stand_down: str
    status: str
    checks: str
    drill: str
    blanks: str
    phases: dict[int, str]
    mentions: str
    negative: str
    expected: str


class Section(Part, frozen=True):
    """A heading and its lines, for notifiers that show one thing under another.

    Attributes:
        kind: Name of the ``AlertMessage`` field it comes from; those of the checklist ``checklist-15`` and so on.
    """

    kind: str
    heading: str
    lines: tuple[str, ...]


class AlertMessage(Part, frozen=True):
    """One alert (or operational message) in one language; empty strings and tuples where there is nothing to say.

    Attributes:
        incident_id: Empty for an operational message.
        language, timezone: In which everything here is worded.
        drill: The banner of a rehearsal; already part of ``header``, ``subject`` and ``fallback`` in short.
        header: Severity, brand, threat or opportunity, crisis type, since when.
        sentence: The figures, against the usual.
        severity_why: Why this severity.
        confidence: How sure, and the counterfactual.
        caveats: What could be wrong; one sentence each.
        terms: Words that rose, the most telling first.
        threads: The threads of talk where there is more than one, the largest first.
        kinds: Of which kinds the posts are, with the words that say so.
        path: How it went from channel to channel, and what the posts link to.
        past: What the brand has been through, and what that changes.
        playbook_line: The plan, why, and the runner-up; or honestly that none matches.
        status_line: Who has it and in what state it is.
        statements: The plan's holding statements; ``statement`` is the one to use first.
        thread_reply: What to say in the thread about this change; empty where nothing is to be said.
        subject: Of an e-mail, at most 120 characters.
        fallback: What the phone shows: header, figures and plan in at most 300 characters.
        series: For a chart, oldest first; ``labels`` has the wall clock of each point.
        checks: Operational messages only: what to look at.
    """

    header: str
    sentence: str
    subject: str
    fallback: str
    headings: Headings
    language: str
    timezone: str
    incident_id: str = ""
    brand: str = ""
    operational: bool = False
    direction: Direction | None = None
    severity: Severity | None = None
    drill: str = ""
    trend: str = ""
    where: str = ""
    who: str = ""
    quotes: tuple[QuoteLine, ...] = ()
    terms: tuple[str, ...] = ()
    threads: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    path: str = ""
    past: str = ""
    severity_why: str = ""
    confidence: str = ""
    caveats: tuple[str, ...] = ()
    playbook_id: str = ""
    playbook_line: str = ""
    playbook_summary: str = ""
    pause: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    statements: tuple[StatementText, ...] = ()
    checklist: tuple[ChecklistRow, ...] = ()
    clocks: tuple[ClockLine, ...] = ()
    stand_down: str = ""
    status_line: str = ""
    thread_reply: str = ""
    checks: tuple[str, ...] = ()
    series: tuple[SeriesPoint, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def statement(self) -> StatementText | None:
        """The holding statement to use first: the first that has not expired, else the first."""
        valid = (statement for statement in self.statements if not statement.expired)
        return next(valid, self.statements[0] if self.statements else None)

    @property
    def open_steps(self) -> tuple[ChecklistRow, ...]:
        """Steps that nobody has ticked."""
        return tuple(row for row in self.checklist if not row.done_by)

    def quoted(self, text: str) -> str:
        """The text in the quotation marks of the message's language."""
        return f"“{text}”" if self.language == "en" else f"«{text}»"

    def sections(self) -> tuple[Section, ...]:
        """Everything after header and sentence, in the order in which it is needed; no empty section."""
        heads = self.headings
        quotes = tuple(
            line
            for quote in self.quotes
            for line in (self.quoted(quote.text), f"— {quote.byline}", quote.url)
            if line
        )
        told = (
            Section("status_line", heads.status, _lines(self.status_line)),
            Section("checks", heads.checks, tuple(f"- {line}" for line in self.checks)),
            Section("trend", heads.trend, _lines(self.trend)),
            Section("terms", heads.terms, _lines(", ".join(self.terms))),
            Section("threads", heads.threads, self.threads),
            Section("quotes", heads.posts, quotes),
            Section("where", heads.where, _lines(self.where)),
            Section("who", heads.who, _lines(self.who)),
            Section("path", heads.path, _lines(self.path)),
            Section("kinds", heads.kinds, tuple(f"- {line}" for line in self.kinds)),
            Section("confidence", heads.confidence, _lines(self.confidence)),
            Section("caveats", heads.caveats, tuple(f"- {line}" for line in self.caveats)),
            Section("severity_why", heads.severity, _lines(self.severity_why)),
            Section("playbook_line", heads.playbook, _lines(self.playbook_line)),
            Section("past", heads.past, _lines(self.past)),
            *self._checklist_sections(),
            Section("statement", heads.statement, self._statement_lines()),
            Section("pause", heads.pause, tuple(f"- {line}" for line in self.pause)),
            Section("never", heads.never, tuple(f"- {line}" for line in self.never)),
            Section("clocks", heads.clocks, self._clock_lines()),
            Section("stand_down", heads.stand_down, _lines(self.stand_down)),
        )
        return tuple(section for section in told if section.lines)

    def plain_text(self) -> str:
        """The whole message as text, for e-mail, logs of a terminal and screen readers."""
        parts = [line for line in (self.drill, self.header, self.sentence) if line]
        for section in self.sections():
            if len(section.lines) == 1 and not section.lines[0].startswith(("- ", "[")):
                parts.append(f"{section.heading}: {section.lines[0]}")
            else:
                parts.append("\n".join((f"{section.heading}:", *section.lines)))
        return "\n\n".join(parts) + "\n"

    def _checklist_sections(self) -> tuple[Section, ...]:
        heads = self.headings
        return tuple(
            Section(
                f"checklist-{phase}",
                f"{heads.checklist}, {heading}",
                tuple(
                    f"[{'x' if row.done_by else ' '}] {row.title} ({row.byline})"
                    for row in self.checklist
                    if row.phase == phase
                ),
            )
            for phase, heading in heads.phases.items()
        )

    def _statement_lines(self) -> tuple[str, ...]:
        statement = self.statement
        if statement is None:
            return ()
        both = (f"IT: «{statement.it}»", f"EN: “{statement.en}”")
        first, second = both if self.language == "it" else both[::-1]
        blanks = "; ".join(statement.blanks)
        lines = (
            f"{statement.channel[:1].upper()}{statement.channel[1:]}. {statement.note}".rstrip(),
            first,
            second,
            f"{self.headings.blanks}: {blanks}" if blanks else "",
            statement.validity,
            statement.approval,
        )
        return tuple(line for line in lines if line)

    def _clock_lines(self) -> tuple[str, ...]:
        return tuple(
            line
            for clock in self.clocks
            for line in (
                f"- {clock.text}",
                *(f"  - {deadline}" for deadline in clock.deadlines),
                f"  {clock.confirm}",
                f"  {clock.source}" if clock.source else "",
            )
            if line
        )


def _lines(text: str) -> tuple[str, ...]:
    return (text,) if text else ()
