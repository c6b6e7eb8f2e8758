"""Whom the agent believes over TLS, and what it says when it does not."""

from __future__ import annotations

import ssl

from iotistic.model.errors import CloudUnavailable, InvalidField

PLAUSIBLE_FROM_MS = 1_735_689_600_000
"""2025-01-01. An earlier date is that of a clock that was never set: no device with this agent has
it, and no certificate of a cloud that runs today began to be valid before."""
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


def no_trust(error: Exception, origin: str, wall_ms: int) -> CloudUnavailable:
    """What a failed TLS handshake with `origin` means, and what to do about it.

    A clock from before this version was written makes every certificate look too young: that is
    said as such, since renewing certificates would not help.
    """
    found = _verification(error)
    if found is None:
        return CloudUnavailable(f"no TLS with {origin}: {error}", code="tls-failed")
    if found.verify_code == _X509_NOT_YET_VALID:
        if wall_ms < PLAUSIBLE_FROM_MS:
            return CloudUnavailable(
                f"the clock of this device cannot be right, so the certificate of {origin} "
                "looks as if it were not valid yet",
                code="clock-implausible",
                remedy="set the clock (NTP); it is tried again by itself",
            )
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
