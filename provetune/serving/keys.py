"""API keys: how one is made, what of it is kept, and whether a string is one.

A key is ``pt_<id>_<secret>``. The id is public: logs show it, and it is how a key is found. The secret is 32 random
bytes, of which a salted BLAKE2b hash is kept (RFC 7693, keyed). A slow hash such as scrypt protects what people
choose; 256 random bits cannot be guessed from a hash however fast it is, and a slow one would let anybody spend the
server's time by sending wrong keys.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from provetune.core.errors import UsageError
from provetune.core.suggest import advice
from provetune.ledger.api_keys import KeyEntry
from provetune.ledger.rows import now

SCOPES = ("predict", "read", "admin")
"""``predict``: ask models. ``read``: what there is, metrics. ``admin``: change what is served, and all the others."""

_KEY = re.compile(r"pt_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_SPAN = re.compile(r"(\d{1,6})\s*(m|h|d|w)")
_HOURS = {"m": 1 / 60, "h": 1, "d": 24, "w": 24 * 7}
_SECRET_BYTES = 32
_NAME_LETTERS = 200


@dataclass(frozen=True)
class NewKey:
    """A key that was just made: `text` is shown once and kept nowhere."""

    text: str
    entry: KeyEntry


def make_key(
    name: str,
    scopes: Sequence[str] = ("predict", "read"),
    *,
    expires: str | None = None,
    per_minute: float | None = None,
    burst: int | None = None,
) -> NewKey:
    """A new random key and the entry that the ledger is to keep of it.

    Args:
        name: whose it is.
        scopes: of `SCOPES`.
        expires: a span from now (``30d``, ``12h``), a date or a moment (ISO 8601; UTC where it names no zone).
        per_minute: requests a minute; None for any number.
        burst: requests that may come at once; a minute's where it is left out.

    Raises:
        UsageError: an unknown scope, a moment that has passed or cannot be read, a rate that is not above 0.
    """
    _check_name(name)
    _check_rate(per_minute, burst)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    salt = secrets.token_bytes(16)
    entry = KeyEntry(
        key_id=secrets.token_hex(6),
        name=name,
        salt=salt.hex(),
        hash=hash_secret(secret, salt),
        scopes=_checked_scopes(scopes),
        per_minute=per_minute,
        burst=None if per_minute is None else burst or max(1, round(per_minute)),
        created_at=now(),
        expires_at=None if expires is None else _moment(expires).isoformat(timespec="microseconds"),
    )
    return NewKey(f"pt_{entry.key_id}_{secret}", entry)


def split_key(text: str) -> tuple[str, str] | None:
    """Id and secret of what is written like a key; None for anything else."""
    found = _KEY.fullmatch(text)
    return None if found is None else (found[1], found[2])


def hash_secret(secret: str, salt: bytes) -> str:
    """The hash that is kept of a key's secret part, hex."""
    return hashlib.blake2b(secret.encode(), key=salt, digest_size=32).hexdigest()


def is_secret(entry: KeyEntry | None, secret: str) -> bool:
    """Whether this is the secret of a key. The time it takes tells neither how much is right nor whether there is
    such a key."""
    salt, kept = (_NOBODY_SALT, _NOBODY) if entry is None else (bytes.fromhex(entry.salt), entry.hash)
    return hmac.compare_digest(hash_secret(secret, salt), kept) and entry is not None


def allows(entry: KeyEntry, scope: str) -> bool:
    """Whether a key may use routes of this scope; ``admin`` may use all."""
    return scope in entry.scopes or "admin" in entry.scopes


def has_expired(entry: KeyEntry, moment: datetime) -> bool:
    """Whether a key's time is over at this moment."""
    return entry.expires_at is not None and datetime.fromisoformat(entry.expires_at) <= moment


def state_of(entry: KeyEntry, moment: datetime) -> str:
    """``"revoked"``, ``"expired"`` or ``"valid"``."""
    if entry.revoked_at is not None:
        return "revoked"
    return "expired" if has_expired(entry, moment) else "valid"


_NOBODY_SALT = bytes(16)
_NOBODY = hash_secret("", _NOBODY_SALT)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > _NAME_LETTERS or not name.isprintable():
        raise UsageError(
            f"A key's name must have 1 to {_NAME_LETTERS} printable characters. Got {name[:40]!r} instead.",
            hint="Say whose it is, e.g. --name 'web shop'.",
        )


def _check_rate(per_minute: float | None, burst: int | None) -> None:
    if per_minute is not None and not 0 < per_minute < float("inf"):
        raise UsageError(f"The rate must be a number of requests a minute above 0. Got {per_minute} instead.")
    if burst is not None and (per_minute is None or burst < 1):
        raise UsageError(f"burst must be at least 1, and goes with a rate. Got {burst} instead.")


def _checked_scopes(scopes: Sequence[str]) -> tuple[str, ...]:
    for scope in scopes:
        if scope not in SCOPES:
            raise UsageError(f"There is no scope '{scope}'.", hint=advice(scope, SCOPES))
    if not scopes:
        raise UsageError("A key needs a scope.", hint=f"Scopes are {', '.join(SCOPES)}.")
    return tuple(scope for scope in SCOPES if scope in scopes)


def _moment(text: str) -> datetime:
    hint = "Give a span (30d, 12h) or a date to come (2031-12-31, or 2031-12-31T12:00+08:00)."
    present = datetime.now(UTC)
    span = _SPAN.fullmatch(text.strip())
    try:
        if span is not None:
            found = present + timedelta(hours=int(span[1]) * _HOURS[span[2]])
        else:
            read = datetime.fromisoformat(text.strip())
            found = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"'{text}' is no moment at which a key could expire.", hint=hint) from error
    if found <= present:
        raise UsageError(f"The key would have expired already ({text}).", hint=hint)
    return found
