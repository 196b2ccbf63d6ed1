"""Identifiers: time-ordered UUIDs for rows, random tokens for secrets."""

import hashlib
import secrets
from uuid import UUID

import uuid6


def new_id() -> UUID:
    """Return a fresh UUIDv7 (RFC 9562): unique anywhere, and sorted by the time it was made."""
    return uuid6.uuid7()


def new_secret(prefix: str = "") -> str:
    """Return 256 random bits as URL-safe text, after an optional prefix that names its kind."""
    return prefix + secrets.token_urlsafe(32)


def fingerprint(secret: str) -> bytes:
    """Return the SHA-256 of a secret, which is all that is ever stored of it.

    A fast hash is right here and wrong for passwords: 256 random bits cannot be guessed.
    """
    return hashlib.sha256(secret.encode()).digest()
