"""Whom the agent believes over TLS, and what it says when it does not."""

from __future__ import annotations

import ssl

from iotistic.agent.validity import Validity
from iotistic.agent.wall_clock import day
from iotistic.model.errors import CloudUnavailable, InvalidField

_X509_NOT_YET_VALID = 9
_X509_EXPIRED = 10


def normalize_pem(text: str) -> str:
    """A PEM text with real line ends; those written as a backslash and an n are put right."""
    return text.replace("\\n", "\n").strip() + "\n"


def make_ssl_context(ca_cert: str | None, *, verify: bool = True) -> ssl.SSLContext:
    """What we trust: the given authority alone, else the system's. Raises InvalidField.

    A given certificate is an anchor even when it did not sign itself, so that an intermediate
    or the cloud's own can be the one that is trusted.
    """
    try:
        context = ssl.create_default_context(cadata=ca_cert)
    except (ssl.SSLError, ValueError) as error:
        raise InvalidField(
            "CLOUD_CA_CERT", expected="a certificate as PEM text", found="something else"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_cert is not None:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def out_of_time(error: Exception) -> bool:
    """Whether a TLS handshake failed because of a certificate's dates."""
    found = _verification(error)
    return found is not None and found.verify_code in (_X509_NOT_YET_VALID, _X509_EXPIRED)


def no_trust(
    error: Exception,
    origin: str,
    *,
    wall_ms: int = 0,
    clock_in_doubt: bool = False,
    valid: Validity | None = None,
) -> CloudUnavailable:
    """What a failed TLS handshake with `origin` means, and what to do about it.

    A clock that is wrong makes certificates look too young or expired. Where the clock is in doubt
    that is said as such, with its date and the certificate's (`valid`), since renewing
    certificates would not help.
    """
    found = _verification(error)
    if found is None:
        return CloudUnavailable(f"no TLS with {origin}: {error}", code="tls-failed")
    young = found.verify_code == _X509_NOT_YET_VALID
    if clock_in_doubt and out_of_time(error):
        seems = "not valid yet" if young else "expired"
        dates = f", and it is valid from {valid}" if valid is not None else ""
        return CloudUnavailable(
            f"the certificate of {origin} looks {seems} by the clock of this device, which cannot "
            f"be trusted: it says {day(wall_ms)}{dates}",
            code="tls-clock",
            remedy="set the clock: timedatectl set-ntp true; if its date is right, renew the "
            "certificate; it is tried again by itself",
        )
    if young:
        return CloudUnavailable(
            f"the certificate of {origin} is not valid yet", code="certificate-not-yet-valid"
        )
    if found.verify_code == _X509_EXPIRED:
        return CloudUnavailable(
            f"the certificate of {origin} has expired",
            code="certificate-expired",
            remedy="renew it, or correct the clock of this device",
        )
    return CloudUnavailable(
        f"the certificate of {origin} is not trusted: {found.verify_message}",
        code="certificate-untrusted",
        remedy="for a private authority give CLOUD_CA_CERT, or provision with --ca or --ca-pin",
    )


def _verification(error: Exception) -> ssl.SSLCertVerificationError | None:
    # aiohttp's own error is a subclass without the facts; what it wraps has them.
    found = getattr(error, "certificate_error", error)
    return found if isinstance(found, ssl.SSLCertVerificationError) else None
