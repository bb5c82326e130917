"""The first tables: archive, journal, positions, snapshots, incidents, effects, outbox, notes of notifiers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sentinel.store.dialect import SQLITE_FULL_TEXT

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make everything in an empty database."""
    op.create_table(
        "effects",
        sa.Column("n", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("n"),
    )
    op.create_index("ix_effects_id", "effects", ["id"], unique=True)
    op.create_index("ix_effects_incident", "effects", ["incident_id"], unique=False)
    op.create_table(
        "incidents",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_incidents_brand", "incidents", ["brand", "opened_at"], unique=False)
    op.create_index("ix_incidents_opened_at", "incidents", ["opened_at"], unique=False)
    op.create_table(
        "journal",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index(
        "ix_journal_incident",
        "journal",
        ["incident_id"],
        unique=False,
        sqlite_where=sa.text("incident_id <> ''"),
        postgresql_where=sa.text("incident_id <> ''"),
    )
    op.create_table(
        "mentions",
        sa.Column("n", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("published_at", sa.Float(), nullable=False),
        sa.Column("received_at", sa.Float(), nullable=False),
        sa.Column("author_id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("retracted", sa.Boolean(), nullable=False),
        sa.Column("rest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("n"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mentions_author", "mentions", ["author_id", "source"], unique=False)
    op.create_index("ix_mentions_identity", "mentions", ["source", "id"], unique=True)
    op.create_index("ix_mentions_published_at", "mentions", ["published_at"], unique=False)
    op.create_index("ix_mentions_seq", "mentions", ["seq"], unique=False)
    op.create_table(
        "notifier_refs",
        sa.Column("notifier", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("ref", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("notifier", "incident_id"),
    )
    op.create_table(
        "outbox",
        sa.Column("n", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("notifier", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("page", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("not_before", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("attempting", sa.Boolean(), nullable=False),
        sa.Column("ambiguous", sa.Boolean(), nullable=False),
        sa.Column("fell_back", sa.Boolean(), nullable=False),
        sa.Column("delivered_at", sa.Float(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("n"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_id", "outbox", ["id"], unique=True)
    op.create_index("ix_outbox_incident", "outbox", ["incident_id", "notifier"], unique=False)
    op.create_index(
        "ix_outbox_pending",
        "outbox",
        ["notifier", "lane", "n"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("ix_outbox_state", "outbox", ["state", "n"], unique=False)
    op.create_table(
        "positions",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "quotes",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("mention_id", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("author_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "mention_id", "incident_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_quotes_author", "quotes", ["author_id", "source"], unique=False)
    op.create_table(
        "snapshots",
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("brand"),
    )
    op.create_table(
        "mention_brands",
        sa.Column("n", ROW_NUMBER, nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("published_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["n"], ["mentions.n"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("n", "brand"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_mention_brands_brand", "mention_brands", ["brand", "published_at"], unique=False
    )
    op.create_table(
        "mention_revisions",
        sa.Column("id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("n", ROW_NUMBER, nullable=False),
        sa.Column("replaced_at", sa.Float(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["n"], ["mentions.n"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_mention_revisions_n", "mention_revisions", ["n"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        for statement in SQLITE_FULL_TEXT:
            op.execute(statement)
