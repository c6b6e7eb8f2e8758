"""What devices have to be told to trust the certificate that is served."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from iotistic.model.errors import InvalidField


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateAuthority:
    """The certificate that no system trusts by itself, and its fingerprint."""

    pem: str
    pin: str


def private_authority(chain: Path) -> PrivateAuthority | None:
    """The authority at the end of a chain that carries its own root, else None.

    Public authorities are not part of the chains they give out: a chain that ends in a
    certificate that signed itself is a private one. Raises InvalidField when it is no chain.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        certificates = x509.load_pem_x509_certificates(chain.read_bytes())
    except (ValueError, OSError) as error:
        raise InvalidField(
            "--tls-cert", expected="a file with PEM certificates", found=str(chain)
        ) from error
    last = certificates[-1]
    if last.issuer != last.subject:
        return None
    der = last.public_bytes(Encoding.DER)
    return PrivateAuthority(
        pem=last.public_bytes(Encoding.PEM).decode("ascii"),
        pin=f"sha256:{hashlib.sha256(der).hexdigest()}",
    )
