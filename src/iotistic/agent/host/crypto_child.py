"""Cryptography in a short-lived process of its own.

The agent needs RSA and AES a few times in its life (joining, a new target, a rescue) and would
keep the library's 10 MB for ever. So a child does it: payload in through stdin, result out
through stdout, never argv or environment, which other users of the host can read.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Any, Literal

from iotistic.model.canonical import canonical_json
from iotistic.model.errors import InvalidField, Refused, Unavailable
from iotistic.model.reader import decode_json

Operation = Literal[
    "generate-keypair", "public-key", "seal", "open", "wrap-jwe", "unwrap-jwe", "sign-pss"
]

TIME_LIMIT_S = 120.0  # an RSA-2048 pair takes some ten seconds on the smallest boards
RESULT_BYTES_MAX = 64 * 1024 * 1024


class CryptoRefused(Refused):
    """The child could not do this with these inputs: a wrong key, or data that was changed."""

    code: str = "crypto-refused"


class CryptoUnavailable(Unavailable):
    """The child could not be started, was killed or took too long."""

    code: str = "crypto-unavailable"


async def in_child(
    operation: Operation, payload: Mapping[str, Any], *, time_limit_s: float = TIME_LIMIT_S
) -> Mapping[str, Any]:
    """Do one operation in a child process and return its result; both are JSON objects of texts.

    ================  =====================================  ===================================
    operation         payload                                result
    ================  =====================================  ===================================
    generate-keypair  nothing                                private_key_pem, public_key_pem
    public-key        private_key_pem                        public_key_pem
    seal              key (hex), values {name: text}         values {name: "v1:…"}
    open              key (hex), values {name: "v1:…"}       values {name: text}
    wrap-jwe          plaintext, public_key_pem, kid         jwe
    unwrap-jwe        jwe, private_key_pem                   plaintext
    sign-pss          message (ASCII), private_key_pem       signature (base64)
    ================  =====================================  ===================================

    A sealed value opens only under the name it was sealed with. Costs about 0.2 s and no memory
    afterwards. Raises CryptoRefused for inputs that do not fit, CryptoUnavailable otherwise.
    """
    request = canonical_json({"operation": operation, "payload": payload})
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # the working directory is the state folder: nothing is imported from there
            "-m",
            "iotistic.agent.host.crypto_operations",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise CryptoUnavailable(f"cannot start a child process: {error.strerror}") from error
    try:
        async with asyncio.timeout(time_limit_s):
            output, _ = await child.communicate(request)
    except TimeoutError as error:
        raise CryptoUnavailable(f"{operation} took longer than {time_limit_s:.0f} s") from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return _result(operation, child.returncode, output)


def _result(operation: str, returncode: int | None, output: bytes) -> Mapping[str, Any]:
    try:
        reply = decode_json(output, at="reply", bytes_max=RESULT_BYTES_MAX)
    except InvalidField as error:
        message = f"{operation}: the child process ended with {returncode} and no result"
        # The cause is dropped: it would quote the output, which may hold a key.
        raise CryptoUnavailable(message) from error.__cause__
    if "error" in reply:
        raise CryptoRefused(f"{operation}: {reply['error']}")
    result: Mapping[str, Any] = reply["result"]
    return result
