"""Passwords: argon2id, in a thread, never many at once."""

from __future__ import annotations

import asyncio

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from iotistic.model.errors import InvalidField
from iotistic.model.reader import check_text

LENGTH_MIN = 10
LENGTH_MAX = 256
_MEMORY_KIB = 19 * 1024
_PASSES = 2
_AT_ONCE = 4  # a bound on memory and cores that strangers can make us use

# Checked for users that do not exist, so that it takes as long as for those that do.
_NOBODYS = (
    "$argon2id$v=19$m=19456,t=2,p=1$3sZKPYBkLaJYSlnCQb6"
    "jog$RNbvsdcbl/xT2bbp1jqw7R7qF8H3nxMN+xbbT+yZELE"
)


class Passwords:
    """Hashes and checks passwords; some 30 ms each."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(
            time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=1, type=Type.ID
        )
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> str:
        """What is stored for a password."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password: str, stored: str | None) -> bool:
        """Whether it is the one; False after the usual time when nothing is stored."""
        async with self._turn:
            return await asyncio.to_thread(self._matches, password, stored)

    def _matches(self, password: str, stored: str | None) -> bool:
        try:
            self._hasher.verify(stored or _NOBODYS, password)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None


def check_password(value: object, at: str = "password") -> str:
    """A password that may be set. Raises InvalidField."""
    expected = f"a password of {LENGTH_MIN} to {LENGTH_MAX} characters"
    text = check_text(value, at, length_max=LENGTH_MAX, expected=expected, secret=True)
    if len(text) < LENGTH_MIN:
        raise InvalidField(at, expected=expected, found=text, secret=True)
    return text
