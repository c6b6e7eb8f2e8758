"""Whether a field sounds as if its value must not be shown."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_WORDS = frozenset(
    [
        "password",
        "passwd",
        "pass",
        "pwd",
        "passphrase",
        "secret",
        "secrets",
        "token",
        "tokens",
        "authorization",
        "cookie",
        "credentials",
        "challenge",
    ]
)
_KEY_KINDS = frozenset(
    ["api", "device", "private", "provisioning", "hash", "access", "auth", "secret", "master"]
)


def is_secret_name(name: str) -> bool:
    """Whether a field of this name sounds as if its value must not be shown."""
    words = [word.lower() for word in _WORD.findall(name[:200])]
    if not _SECRET_WORDS.isdisjoint(words) or "".join(words) == "key":
        return True
    joined = "".join(words)
    return any(joined.endswith(kind + "key") for kind in _KEY_KINDS)
