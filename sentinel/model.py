"""The values that travel through Sentinel: frozen, comparable, serialisable with msgspec.

What lives here: mentions, verdicts, brands, evidence, incidents, effects, commands and the closed
enums whose members are metric labels. What does not: behaviour (``core``), I/O, configuration.

Times are epoch seconds (UTC) as ``float``; aware datetimes exist only at the edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, StrEnum

import msgspec

CRISIS_TYPES: tuple[str, ...] = (
    "fake-news",
    "external-attack",
    "service-outage",
    "product-safety",
    "data-breach",
    "executive-statement",
    "discrimination",
    "labour-dispute",
    "boycott",
    "environment-safety",
    "legal-financial",
    "customer-care",
    "marketing-misfire",
    "coordinated-attack",
    "opportunity",
)
"""Slugs of the crisis types, everywhere the same: ``sentinel classify``, playbook ids, alerts."""


UNSCORED = "none"
"""``Verdict.model_id`` of a post that no model read: it counts as a mention, and in no figure of sentiment."""


class Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """Base of the frozen values."""


# --- what comes in -------------------------------------------------------------------------------


class Author(Value, frozen=True, omit_defaults=True):
    """Who wrote a mention, as far as the source says."""

    id: str = ""
    handle: str = ""
    name: str = ""
    followers: int | None = None
    created_at: float | None = None


class Engagement(Value, frozen=True, omit_defaults=True):
    """Reactions counted by the platform when the mention was seen."""

    likes: int = 0
    reposts: int = 0
    replies: int = 0
    views: int = 0


class Mention(Value, frozen=True, omit_defaults=True):
    """One post, comment, headline or call note.

    Attributes:
        id: Unique at its source. ``(source, id)`` is the identity everywhere.
        source: Name of the configured source it came through.
        channel: Where people talk: ``bluesky``, ``news``, ``forum`` ...
        published_at: Event time, epoch seconds: the platform's time where the source has one, never
            later than ``received_at`` (authors' clocks lie).
        received_at: When Sentinel took it in, epoch seconds.
        text: What was said; hostile input.
        language: ISO 639-1 as claimed by the sender, or empty.
        brand: Brand id when the sender already knows, or empty.
        reply_to: Identity of the post it answers, or empty.
        repost_of: Identity of the post it repeats, or empty.
        mentions_of: Further searchable handles and links that are not in the text.
    """

    id: str
    source: str
    channel: str
    published_at: float
    received_at: float
    text: str
    language: str = ""
    author: Author = Author()
    url: str = ""
    reply_to: str = ""
    repost_of: str = ""
    engagement: Engagement = Engagement()
    brand: str = ""
    mentions_of: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Identity: (source, id)."""
        return (self.source, self.id)


class CountRow(Value, frozen=True, omit_defaults=True):
    """Counts of one brand in an interval that begins at ``start`` (epoch seconds), where no post is known."""

    start: float
    mentions: int
    negative: int
    positive: int = 0
    brand: str = ""
    channel: str = "all"


class Retraction(Value, frozen=True, omit_defaults=True):
    """A source says that a post, or all posts of an author, must be forgotten.

    Exactly one of ``mention_id`` and ``author_id`` is set. Text goes, counts stay.
    """

    source: str
    mention_id: str = ""
    author_id: str = ""


TYPED_FROM = 0.4
"""Summed scores of its crisis types from which a post is said to have one. Less than half: a type that is told in vain is
seen to be wrong, one that is not told is missed."""


def likely_type(ranked: Sequence[tuple[str, float]]) -> str:
    """The best of ranked crisis types, empty where "none of these", which has the rest of the scores, is likelier.

    >>> likely_type([("boycott", 0.5), ("fake-news", 0.1)]), likely_type([("boycott", 0.2)])
    ('boycott', '')
    """
    return ranked[0][0] if sum(score for _, score in ranked) >= TYPED_FROM else ""


class Verdict(Value, frozen=True, omit_defaults=True):
    """What the language room says of one post; probabilities sum to 1.

    Attributes:
        label: The likeliest class; empty where no model read the post.
        second_language: Of a post that mixes two configured languages or two scripts; empty otherwise.
        model_id: `UNSCORED`, or the scorer; where people's corrections changed its probabilities, also the version of what was learnt.
        base: The scorer's own probabilities where corrections changed them, else None.
    """

    language: str
    negative: float
    neutral: float
    positive: float
    label: str
    crisis_types: tuple[tuple[str, float], ...] = ()
    terms: tuple[str, ...] = ()
    model_id: str = ""
    base: tuple[float, float, float] | None = None
    second_language: str = ""

    @property
    def scored(self) -> bool:
        """Whether a model read the post. If not, its probabilities are no judgement, and least of all a neutral one."""
        return self.model_id != UNSCORED

    @property
    def crisis_type(self) -> str:
        """The likeliest crisis type; empty where it is likelier that the post has none."""
        return likely_type(self.crisis_types)

    @property
    def measured(self) -> str:
        """The class by the scorer alone: what detection counts.

        A ruler may not change while it measures: what people teach would look like a change of the talk, and page somebody.
        """
        if self.base is None:
            return self.label
        return ("negative", "neutral", "positive")[self.base.index(max(self.base))]


class Match(Value, frozen=True):
    """A brand that a mention is about, and the configured term that said so."""

    brand: str
    term: str


class Sighting(Value, frozen=True):
    """A mention that concerns at least one brand, with its verdict: the core's input."""

    mention: Mention
    matches: tuple[Match, ...]
    verdict: Verdict


class DropReason(StrEnum):
    """Why a mention went no further (or, for ``LATE``, was archived without being counted)."""

    UNMATCHED = "unmatched"  # no brand's term
    EXCLUDED = "excluded"  # an exclusion, or no context word that the term requires
    DUPLICATE = "duplicate"  # (source, id) was seen before
    LATE = "late"  # its minute was closed; archived, not counted in detection
    MALFORMED = "malformed"  # could not be decoded
    TOO_LARGE = "too_large"  # beyond the size limit of its source
    EMPTY = "empty"  # nothing to read
    UNKNOWN_BRAND = "unknown_brand"  # the sender names a brand that is not configured


class Dropped(Value, frozen=True):
    """A mention that was not used, and why."""

    reason: DropReason
    detail: str = ""


class SourceState(StrEnum):
    """Liveness of a source as the core sees it."""

    STARTING = "starting"
    ALIVE = "alive"
    DOWN = "down"


class SourceStatus(Value, frozen=True, omit_defaults=True):
    """A source's word about itself.

    Attributes:
        watermark: Event time up to which the source has delivered everything, epoch seconds;
            0 where it cannot know (then the configured lateness is waited for).
    """

    source: str
    state: SourceState
    at: float
    watermark: float = 0.0
    detail: str = ""


# --- brands --------------------------------------------------------------------------------------


class Brand(Value, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A brand to watch, as configured under ``[[brands]]``.

    Attributes:
        terms: Names and aliases, matched as whole words, case and width folded.
        hashtags: Without ``#``; also matched in their CamelCase parts.
        handles: Without ``@``.
        domains: Matched in links.
        exclude: A mention with one of these words is not about the brand.
        require: If given, a term counts only beside at least one of these words.
        timezone: The audience's wall clock, an IANA name.
        language: Language of the team that is alerted: ``it`` or ``en``.
        languages: Languages of the audience, for identification.
        budget_days: At most one false page in this many days.
        slack_channel: Where its alerts go; empty for the default channel.
        segment: A group of brands, for duties that hold for all of it and for the pages' filter.
        seen_before: Crisis types in the brand's past (Coombs' history rule).
    """

    id: str
    name: str
    terms: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    timezone: str = "Europe/Rome"
    language: str = "it"
    languages: tuple[str, ...] = ("it", "en")
    budget_days: float = 30.0
    slack_channel: str = ""
    segment: str = ""
    seen_before: tuple[str, ...] = ()


# --- what is found -------------------------------------------------------------------------------


class Direction(StrEnum):
    """Threat or opportunity: both are watched alike."""

    THREAT = "threat"
    OPPORTUNITY = "opportunity"


class Severity(IntEnum):
    """How bad, comparable between small and large brands; every step is a doubling or more."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def slug(self) -> str:
        """Lower-case name for labels, config and output."""
        return self.name.lower()


class Phase(StrEnum):
    """Where an incident is in its life."""

    ONSET = "onset"
    ESCALATING = "escalating"
    PEAK = "peak"
    DECAYING = "decaying"
    RESOLVED = "resolved"


class Caveat(StrEnum):
    """What could be wrong with an alert, said with it."""

    SHORT_HISTORY = "short_history"
    SOURCE_GAP = "source_gap"
    PLANNED_EVENT = "planned_event"
    POLARISED = "polarised"
    FEW_AUTHORS = "few_authors"
    MANY_REPOSTS = "many_reposts"
    NEW_ACCOUNTS = "new_accounts"
    NEAR_DUPLICATES = "near_duplicates"
    SENTIMENT_ESTIMATED = "sentiment_estimated"
    NO_PLAYBOOK_MATCH = "no_playbook_match"


class Group(Value, frozen=True):
    """The posts of one language in a window, and their mean probabilities by the scorer alone.

    The means rise with the shares; they are no shares (``language/quantify``).
    """

    language: str
    posts: int
    negative: float
    positive: float


class Level(Value, frozen=True, omit_defaults=True):
    """The share of a group's posts that are of the incident's direction, corrected by the brand's own labels (PACC).

    Everything that it follows from is in it: ``share = (mean - others) / (hits - others)``, within [0, 1].

    Attributes:
        low, high: 95 % interval.
        labels: How many labels the rates rest on.
        mean: Mean probability of the group.
        hits, others: Mean probability of labelled posts of the direction, and of the other ones.
    """

    language: str
    posts: int
    share: float
    low: float
    high: float
    labels: int
    mean: float
    hits: float
    others: float


class Evidence(Value, frozen=True, omit_defaults=True):
    """The figures on which an incident was opened or last changed; enough to recompute its sentence.

    Attributes:
        at: Close of the bucket, epoch seconds of event time.
        window_seconds: Span of the sentence's counts.
        mentions, expected: Count in the window and what is usual for it.
        score, threshold: In nats, of the brand's combined statistic.
        chance_days: "By chance about once in this many days"; None while not known.
        would_not_fire_below: Mentions in the window under which no alarm would have come.
        negative_share, positive_share: Of the mentions that a model read, as classified: good against the usual, which is
            counted alike, and off by 10 points or more as a level.
        unread: Mentions in the window that no model read: in another language, or without a word.
        groups: The read ones by language.
        channel: The channel that carries most of the evidence; empty for the brand as a whole.
    """

    at: float
    window_seconds: int
    mentions: int
    expected: float
    negative_share: float
    usual_negative_share: float
    positive_share: float
    usual_positive_share: float
    score: float
    threshold: float
    share_evidence: float = 0.0
    volume_evidence: float = 0.0
    channel: str = ""
    chance_days: float | None = None
    would_not_fire_below: int | None = None
    learning: bool = False
    polarised: bool = False
    unread: int = 0
    groups: tuple[Group, ...] = ()


class Quote(Value, frozen=True, omit_defaults=True):
    """A post shown in an alert. Text is hostile; renderers escape it.

    Attributes:
        spread: Reposts, as counted by the platform or by us, whichever is more.
        thread: Number of the incident's thread that it is the example of, from 1; 0 for none.
        most_spread: Whether it is the most reposted one of the incident.
    """

    source: str
    mention_id: str
    text: str
    channel: str
    published_at: float
    author: str = ""
    followers: int | None = None
    url: str = ""
    language: str = ""
    label: str = ""
    spread: int = 0
    thread: int = 0
    most_spread: bool = False


class Arrival(Value, frozen=True, omit_defaults=True):
    """Where the talk was seen first on one channel.

    Attributes:
        answers, repeats: Identity of the post that it replies to or reposts; empty for one that stands alone.
        link: Host of the first link in it.
    """

    source: str
    mention_id: str
    channel: str
    at: float
    author: str = ""
    answers: str = ""
    repeats: str = ""
    link: str = ""


class LinkCount(Value, frozen=True):
    """How many posts link to a host, and since when (epoch seconds)."""

    host: str
    count: int
    first_at: float


class Thread(Value, frozen=True, omit_defaults=True):
    """One of several threads of talk in an incident.

    Attributes:
        share: Part of the incident's posts in its direction, estimated on a sample, 0-1.
        posts: Posts of the sample in it.
        terms: The words that set it apart from the others. Its example is the quote with its number.
    """

    share: float
    posts: int
    terms: tuple[str, ...]


class KindReason(Value, frozen=True, omit_defaults=True):
    """A crisis type and what speaks for it.

    Attributes:
        kind: Slug, or ``none`` for the posts that have no type.
        score: Mean score over the posts in the incident's direction, 0-1; no probability.
        share: Part of a sample of them that has it as its best type, 0-1.
        terms: Words that set those posts apart from the others.
        example: The post that speaks most clearly for it.
    """

    kind: str
    score: float
    share: float
    terms: tuple[str, ...] = ()
    example: Quote | None = None


class PastCase(Value, frozen=True, omit_defaults=True):
    """An earlier incident of the same brand that was no false alarm."""

    incident: str
    kind: str
    at: float
    severity: Severity


class Spread(Value, frozen=True, omit_defaults=True):
    """Who carries the conversation. Shares are None where too few posts, accounts or reposts are known to tell.

    Attributes:
        near_duplicate_share: Part of the posts (reposts apart) that repeat another author's almost word for word.
        repost_concentration: Part of the reposts that repeat the most repeated post.
    """

    authors: int = 0
    repost_share: float = 0.0
    new_account_share: float | None = None
    near_duplicate_share: float | None = None
    repost_concentration: float | None = None
    top_author: str = ""
    top_author_spread: int = 0
    reach: int = 0


class SeriesPoint(Value, frozen=True):
    """One point of the alert's chart."""

    start: float
    mentions: int
    negative: int
    expected: float


class TermCount(Value, frozen=True):
    """A word or hashtag that rose; ``lift`` is its rate against the brand's usual."""

    term: str
    count: int
    lift: float


class PlaybookMatch(Value, frozen=True, omit_defaults=True):
    """Which playbook, why, and what came second. ``matched`` is False for the honest "no match"."""

    playbook: str
    score: float
    reasons: tuple[str, ...] = ()
    runner_up: str = ""
    runner_up_score: float = 0.0
    matched: bool = True
    chosen_by: str = ""


class StepState(Value, frozen=True, omit_defaults=True):
    """A playbook step in an incident's checklist.

    Attributes:
        due_at: Epoch seconds.
        done_by: Who ticked it; empty while open.
    """

    id: str
    due_at: float
    done_by: str = ""
    done_at: float | None = None


class Incident(Value, frozen=True, omit_defaults=True):
    """One storyline of one brand, complete enough to render an alert from it alone.

    Attributes:
        id: Deterministic: the same input gives the same id.
        onset_at: Estimated start of the change, event time.
        opened_at: When the incident began to be told (equal to ``detected_at`` of the first alarm).
        detected_at: Close of the bucket that raised it, event time.
        revision: Grows by one with every change that is told.
        kind: Crisis type slug, or ``unknown``.
        wave: 1, and one more for each return of the storyline.
        doubling_minutes: Growth while escalating.
        kinds: Crisis types with the reasons for each, best first.
        threads: The largest threads of talk; empty where there is only one.
        path: First appearance on each channel, in order of time.
        links: Hosts that posts link to, most linked first.
        past: Earlier incidents of the brand of the kinds that the plan serves, latest first.
        plan_cluster, cluster: Coombs' cluster that the plan assumes, and the one after the brand's history.
        levels: Corrected shares by language, where people labelled enough; added by the shell, which knows the labels.
        drill: A rehearsal; marked loudly wherever it is shown.
        calm_since: When the talk was as usual again.
        stood_down_at: When it had been so for as long as the plan asks before people stand down.
    """

    id: str
    brand: str
    brand_name: str
    direction: Direction
    severity: Severity
    phase: Phase
    onset_at: float
    opened_at: float
    detected_at: float
    updated_at: float
    revision: int
    evidence: Evidence
    playbook: PlaybookMatch
    kind: str = "unknown"
    crisis_types: tuple[tuple[str, float], ...] = ()
    wave: int = 1
    doubling_minutes: float | None = None
    mentions: int = 0
    negative: int = 0
    positive: int = 0
    peak_per_minute: float = 0.0
    channels: tuple[tuple[str, int], ...] = ()
    languages: tuple[tuple[str, int], ...] = ()
    spread: Spread = Spread()
    first_post: Quote | None = None
    quotes: tuple[Quote, ...] = ()
    terms: tuple[TermCount, ...] = ()
    kinds: tuple[KindReason, ...] = ()
    threads: tuple[Thread, ...] = ()
    path: tuple[Arrival, ...] = ()
    links: tuple[LinkCount, ...] = ()
    past: tuple[PastCase, ...] = ()
    plan_cluster: str = ""
    cluster: str = ""
    series: tuple[SeriesPoint, ...] = ()
    caveats: tuple[Caveat, ...] = ()
    severity_reasons: tuple[str, ...] = ()
    checklist: tuple[StepState, ...] = ()
    acknowledged_by: str = ""
    acknowledged_at: float | None = None
    snoozed_until: float | None = None
    false_alarm_by: str = ""
    resolved_at: float | None = None
    calm_since: float | None = None
    stood_down_at: float | None = None
    escalation_level: int = 0
    levels: tuple[Level, ...] = ()
    drill: bool = False

    @property
    def open(self) -> bool:
        """Whether people still have to do with it."""
        return self.phase is not Phase.RESOLVED


# --- what is to be done --------------------------------------------------------------------------


class EffectKind(StrEnum):
    """What the core wants told. The order of members is the order of a life, not of importance."""

    OPENED = "opened"
    ESCALATED = "escalated"
    RETURNED = "returned"  # a second wave of the same storyline
    UPDATED = "updated"  # figures changed; edit in place, no noise
    DECAYING = "decaying"
    RESOLVED = "resolved"
    STOOD_DOWN = "stood_down"  # calm for as long as the plan asks: the team may stand down
    ACKNOWLEDGED = "acknowledged"
    FALSE_ALARM = "false_alarm"
    SNOOZED = "snoozed"
    UNSNOOZED = "unsnoozed"
    HANDED_UP = "handed_up"  # escalation chain: next role is called
    PLAYBOOK_CHANGED = "playbook_changed"
    CHECKLIST_CHANGED = "checklist_changed"
    NEW_NORMAL = "new_normal"  # a level shift was absorbed; said once
    SOURCE_SILENT = "source_silent"  # operations, not a brand alert
    SOURCE_RECOVERED = "source_recovered"


WORSENING: frozenset[EffectKind] = frozenset(
    {EffectKind.OPENED, EffectKind.ESCALATED, EffectKind.RETURNED, EffectKind.HANDED_UP}
)
"""Effects that may make a phone buzz."""

OPERATIONAL: frozenset[EffectKind] = frozenset(
    {EffectKind.SOURCE_SILENT, EffectKind.SOURCE_RECOVERED}
)
"""Effects for operations rather than for a brand's team."""


class Effect(Value, frozen=True, omit_defaults=True):
    """Something to tell people; committed with the state, delivered by the outbox.

    Attributes:
        id: Deterministic and unique: ``<incident or source>:<revision>:<kind>``.
        at: Event time, epoch seconds.
        page: Whether it may make noise now (False while snoozed, acknowledged as false, or a mere update).
        actor: Who caused it, for effects of commands.
        note: Step id, playbook id or source name that it is about.
        sources: For operational effects, the sources concerned.
        since: For operational effects, when it began, epoch seconds.
        bundle: For alarms, what ``sentinel explain`` recomputes the figures from; stored with the effect, told to nobody.
    """

    id: str
    kind: EffectKind
    at: float
    brand: str = ""
    incident: Incident | None = None
    page: bool = False
    actor: str = ""
    note: str = ""
    sources: tuple[str, ...] = ()
    since: float = 0.0
    bundle: bytes = b""


class Action(StrEnum):
    """What a person can do with an incident."""

    TAKE = "take"
    FALSE_ALARM = "false_alarm"
    SNOOZE = "snooze"
    UNSNOOZE = "unsnooze"
    ESCALATE = "escalate"
    CHANGE_PLAYBOOK = "change_playbook"
    TICK = "tick"
    UNTICK = "untick"
    RESOLVE = "resolve"


class Command(Value, frozen=True, omit_defaults=True):
    """A person's word, from Slack, the page or the API.

    Attributes:
        id: Idempotency key: the same command sent twice counts once.
        value: Seconds for SNOOZE, playbook id for CHANGE_PLAYBOOK, step id for TICK and UNTICK.
    """

    id: str
    at: float
    action: Action
    incident_id: str
    actor_id: str
    actor_name: str
    via: str = ""
    value: str = ""
