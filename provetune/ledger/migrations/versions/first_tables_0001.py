"""First tables: studies, splits, claims, trials, looks, acceptance, notes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_studies()
    _create_frozen()
    _create_trials()
    _create_looks()
    _create_found()


def downgrade() -> None:
    for name in ("notes", "acceptance", "looks", "trials", "claims", "splits", "studies"):
        op.drop_table(name)


def _create_studies() -> None:
    op.create_table(
        "studies",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.String(200), nullable=False),
        sa.Column("workspace", sa.String(64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("registered_at", sa.String(32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("task", sa.String(100), nullable=False),
        sa.Column("metric", sa.String(100), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("problem", sa.JSON(), nullable=False),
        sa.Column("data_hash", sa.String(64), nullable=False),
        sa.Column("test_hash", sa.String(64), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("code_version", sa.String(50), nullable=False),
        sa.Column("packages", sa.JSON(), nullable=False),
        sa.Column("machine", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_studies"),
        sa.UniqueConstraint("study_id", "workspace", "attempt", name="uq_studies_study_id"),
    )


def _create_frozen() -> None:
    """What is fixed before the first step."""
    op.create_table(
        "splits",
        sa.Column("study_key", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["study_key"], ["studies.key"], name="fk_splits_study_key"),
        sa.UniqueConstraint("study_key", "name", name="uq_splits_study_key"),
    )
    op.create_table(
        "claims",
        sa.Column("study_key", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["study_key"], ["studies.key"], name="fk_claims_study_key"),
        sa.UniqueConstraint("study_key", "number", name="uq_claims_study_key"),
    )


def _create_trials() -> None:
    op.create_table(
        "trials",
        sa.Column("study_key", sa.Integer(), nullable=False),
        sa.Column("candidate", sa.String(100), nullable=False),
        sa.Column("k", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("starts", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.String(32), nullable=True),
        sa.Column("finished_at", sa.String(32), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["study_key"], ["studies.key"], name="fk_trials_study_key"),
        sa.UniqueConstraint("study_key", "candidate", "k", name="uq_trials_study_key"),
    )


def _create_looks() -> None:
    op.create_table(
        "looks",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("test_hash", sa.String(64), nullable=False),
        sa.Column("study_key", sa.Integer(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("judged", sa.String(64), nullable=True),
        sa.Column("charged", sa.Boolean(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["study_key"], ["studies.key"], name="fk_looks_study_key"),
        sa.PrimaryKeyConstraint("key", name="pk_looks"),
    )
    op.create_index("ix_looks_test_hash", "looks", ["test_hash"])


def _create_found() -> None:
    """What was judged, and what was said on the way."""
    op.create_table(
        "acceptance",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("study_key", sa.Integer(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("required", sa.String(50), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("bound", sa.Float(), nullable=True),
        sa.Column("met", sa.Boolean(), nullable=True),
        sa.Column("at", sa.String(32), nullable=False),
        sa.ForeignKeyConstraint(["study_key"], ["studies.key"], name="fk_acceptance_study_key"),
        sa.PrimaryKeyConstraint("key", name="pk_acceptance"),
    )
    op.create_table(
        "notes",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("study_key", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.ForeignKeyConstraint(["study_key"], ["studies.key"], name="fk_notes_study_key"),
        sa.PrimaryKeyConstraint("key", name="pk_notes"),
    )
