"""Every table of the ledger. A change here needs a new file in `migrations/versions`; a test compares the two.

Moments are ISO 8601 strings in UTC: they sort as text and mean the same in SQLite and PostgreSQL.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


def _study() -> Column[int]:
    return Column("study_key", Integer, ForeignKey("studies.key"), nullable=False)


STUDIES = Table(
    "studies",
    METADATA,
    Column("key", Integer, primary_key=True),
    Column("study_id", String(200), nullable=False),
    Column("workspace", String(64), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("registered_at", String(32), nullable=False),
    Column("name", Text, nullable=False),
    Column("task", String(100), nullable=False),
    Column("metric", String(100), nullable=False),
    Column("confidence", Float, nullable=False),
    Column("problem", JSON, nullable=False),
    Column("data_hash", String(64), nullable=False),
    Column("test_hash", String(64), nullable=False),
    Column("code_hash", String(64), nullable=False),
    Column("code_version", String(50), nullable=False),
    Column("packages", JSON, nullable=False),
    Column("machine", JSON, nullable=False),
    UniqueConstraint("study_id", "workspace", "attempt"),
)

SPLITS = Table(
    "splits",
    METADATA,
    _study(),
    Column("name", String(20), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("study_key", "name"),
)

CLAIMS = Table(
    "claims",
    METADATA,
    _study(),
    Column("number", Integer, nullable=False),
    Column("text", Text, nullable=False),
    UniqueConstraint("study_key", "number"),
)

TRIALS = Table(
    "trials",
    METADATA,
    _study(),
    Column("candidate", String(100), nullable=False),
    Column("k", Integer, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("status", String(10), nullable=False),
    Column("starts", Integer, nullable=False),
    Column("started_at", String(32)),
    Column("finished_at", String(32)),
    Column("seconds", Float, nullable=False),
    Column("scores", JSON, nullable=False),
    Column("folder", Text, nullable=False),
    Column("error", Text),
    Column("details", JSON, nullable=False),
    UniqueConstraint("study_key", "candidate", "k"),
)

LOOKS = Table(
    "looks",
    METADATA,
    Column("key", Integer, primary_key=True),
    Column("test_hash", String(64), nullable=False),
    Column("study_key", Integer, ForeignKey("studies.key")),
    Column("purpose", Text, nullable=False),
    Column("judged", String(64)),
    Column("charged", Boolean, nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", String(32), nullable=False),
    Column("details", JSON, nullable=False),
    Index("ix_looks_test_hash", "test_hash"),
)

ACCEPTANCE = Table(
    "acceptance",
    METADATA,
    Column("key", Integer, primary_key=True),
    _study(),
    Column("bundle", Text, nullable=False),
    Column("metric", Text, nullable=False),
    Column("required", String(50), nullable=False),
    Column("value", Float),
    Column("bound", Float),
    Column("met", Boolean),
    Column("at", String(32), nullable=False),
)

VERDICTS = Table(
    "verdicts",
    METADATA,
    Column("key", Integer, primary_key=True),
    _study(),
    Column("number", Integer, nullable=False),
    Column("claim", Text, nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("effect", Float),
    Column("low", Float),
    Column("high", Float),
    Column("p", Float),
    Column("p_holm", Float),
    Column("alpha", Float),
    Column("look", Integer, nullable=False),
    Column("seeds", Integer, nullable=False),
    Column("at", String(32), nullable=False),
    Column("details", JSON, nullable=False),
    UniqueConstraint("study_key", "number", "look", "seeds"),
)

NOTES = Table(
    "notes",
    METADATA,
    Column("key", Integer, primary_key=True),
    Column("study_key", Integer, ForeignKey("studies.key")),
    Column("kind", String(50), nullable=False),
    Column("message", Text, nullable=False),
    Column("details", JSON, nullable=False),
    Column("at", String(32), nullable=False),
)

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("key", Integer, primary_key=True),
    Column("key_id", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("salt", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("per_minute", Float),
    Column("burst", Integer),
    Column("created_at", String(32), nullable=False),
    Column("expires_at", String(32)),
    Column("revoked_at", String(32)),
    UniqueConstraint("key_id"),
)
