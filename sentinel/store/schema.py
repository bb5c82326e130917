"""The tables, as the newest migration leaves them.

What lives here: table and index definitions for SQLAlchemy Core, and the name of the newest migration. What does not:
statements, and how an older database becomes a newer one (``migrations/``). A test compares both.

Nested values are msgpack blobs; whatever is queried has a column of its own. Times are epoch seconds.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

HEAD = "0002"
"""Newest migration; a database that says so is opened without loading Alembic."""

metadata = MetaData()

ROW_NUMBER = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only for a column that is exactly INTEGER PRIMARY KEY."""

mentions = Table(
    "mentions",
    metadata,
    Column("n", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("published_at", Float, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("author_id", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),  # journal entry that brought it; 0 for late ones
    Column("counted", Boolean(create_constraint=False), nullable=False),
    Column("retracted", Boolean(create_constraint=False), nullable=False),
    Column("rest", LargeBinary, nullable=False),
    Index("ix_mentions_identity", "source", "id", unique=True),
    Index("ix_mentions_published_at", "published_at"),
    Index("ix_mentions_seq", "seq"),
    Index("ix_mentions_author", "author_id", "source"),
    sqlite_autoincrement=True,
)

mention_brands = Table(
    "mention_brands",
    metadata,
    Column("n", ROW_NUMBER, ForeignKey("mentions.n", ondelete="CASCADE"), primary_key=True),
    Column("brand", Text, primary_key=True),
    Column("published_at", Float, nullable=False),
    Index("ix_mention_brands_brand", "brand", "published_at"),
    sqlite_with_rowid=False,
)

mention_revisions = Table(
    "mention_revisions",
    metadata,
    Column("id", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("n", ROW_NUMBER, ForeignKey("mentions.n", ondelete="CASCADE"), nullable=False),
    Column("replaced_at", Float, nullable=False),
    Column("text", Text, nullable=False),
    Index("ix_mention_revisions_n", "n"),
)

journal = Table(
    "journal",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("kind", Text, nullable=False),
    Column("incident_id", Text, nullable=False),  # of a command, else empty
    Column("payload", LargeBinary, nullable=False),
    Index(
        "ix_journal_incident",
        "incident_id",
        sqlite_where=text("incident_id <> ''"),
        postgresql_where=text("incident_id <> ''"),
    ),
)

positions = Table(
    "positions",
    metadata,
    Column("source", Text, primary_key=True),
    Column("position", Text, nullable=False),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("brand", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
    Column("blob", LargeBinary, nullable=False),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("brand", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("open", Boolean(create_constraint=False), nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("blob", LargeBinary, nullable=False),
    Index("ix_incidents_brand", "brand", "opened_at"),
    Index("ix_incidents_opened_at", "opened_at"),
)

effects = Table(
    "effects",
    metadata,
    Column("n", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False),
    Column("incident_id", Text, nullable=False),
    Column("brand", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("blob", LargeBinary, nullable=False),
    Index("ix_effects_id", "id", unique=True),
    Index("ix_effects_incident", "incident_id"),
)

quotes = Table(
    "quotes",
    metadata,
    Column("source", Text, primary_key=True),
    Column("mention_id", Text, primary_key=True),
    Column("incident_id", Text, primary_key=True),
    Column("author_id", Text, nullable=False),
    Index("ix_quotes_author", "author_id", "source"),
    sqlite_with_rowid=False,
)
"""Which incident shows which post, so that a retraction finds every blob that repeats its text."""

outbox = Table(
    "outbox",
    metadata,
    Column("n", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False),
    Column("notifier", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("incident_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("page", Boolean(create_constraint=False), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("not_before", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("attempting", Boolean(create_constraint=False), nullable=False),
    Column("ambiguous", Boolean(create_constraint=False), nullable=False),
    Column("fell_back", Boolean(create_constraint=False), nullable=False),
    Column("delivered_at", Float, nullable=True),
    Column("last_error", Text, nullable=False),
    Column("blob", LargeBinary, nullable=False),
    Index("ix_outbox_id", "id", unique=True),
    Index("ix_outbox_incident", "incident_id", "notifier"),
    Index(
        "ix_outbox_pending",
        "notifier",
        "lane",
        "n",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index("ix_outbox_state", "state", "n"),
    sqlite_autoincrement=True,
)

notifier_refs = Table(
    "notifier_refs",
    metadata,
    Column("notifier", Text, primary_key=True),
    Column("incident_id", Text, primary_key=True),
    Column("ref", LargeBinary, nullable=False),
)

labels = Table(
    "labels",
    metadata,
    Column("n", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False),
    Column("brand", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("mention_id", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("model_id", Text, nullable=False),
    Column("corrected", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("drawn", Boolean(create_constraint=False), nullable=False),
    Column("withdrawn_by", Text, nullable=False),
    Column("withdrawn_at", Float, nullable=True),
    Column("blob", LargeBinary, nullable=False),
    Index("ix_labels_id", "id", unique=True),
    Index("ix_labels_mention", "source", "mention_id"),
    sqlite_autoincrement=True,
)
"""What people say that posts are. No foreign key: a label outlives the text it was given for."""
