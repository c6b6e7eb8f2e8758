"""Images of the simulated world: what they weigh, what their programs do, which ones exist."""

from __future__ import annotations

import hashlib

import msgspec

from iotistic.model.image import ImageRef, parse_image


class SimulatedImage(msgspec.Struct, frozen=True, kw_only=True):
    """One image, and how a container of it behaves.

    `content` tells two images of one reference apart. `exits_after_s` None: its program runs
    until it is stopped. `start_error`: why its program cannot be started. `ignores_stop`: it
    lasts the whole grace period. Where a check is made of how it is (`has_healthcheck`, or the
    service has one of its own), the first answer is `health` after `health_after_s`; None: never.
    `platform` "": it is for all of them.
    """

    reference: str
    content: str = ""
    size_bytes: int = 2_000_000
    exits_after_s: float | None = None
    exit_code: int = 0
    start_error: str = ""
    ignores_stop: bool = False
    has_healthcheck: bool = False
    health: str = "healthy"
    health_after_s: float | None = 1.0
    created_s: float = 946_684_800.0
    platform: str = ""

    def is_for(self, platform: str) -> bool:
        """Whether it runs there."""
        return platform in ("", self.platform) or not self.platform

    @property
    def id(self) -> str:
        """The engine's id for it."""
        return f"sha256:{_sha256(f'{self.repository}/{self.content or self.reference}')}"

    @property
    def digest(self) -> str:
        """By what it can be pinned."""
        return f"sha256:{_sha256(f'manifest of {self.id}')}"

    @property
    def repository(self) -> str:
        """Host and path."""
        return parse_image(self.reference, at="reference").repository

    @property
    def references(self) -> tuple[str, ...]:
        """In canonical form: as it is named here, and by digest."""
        named = parse_image(self.reference, at="reference").canonical
        return tuple(dict.fromkeys((named, f"{self.repository}@{self.digest}")))


class SimulatedRegistry:
    """All registries of the simulated world.

    With `everything` any image that is asked for exists, as a plain one.
    """

    def __init__(self, *images: SimulatedImage, everything: bool = False) -> None:
        self._everything = everything
        self._images: dict[str, SimulatedImage] = {}
        for image in images:
            self.publish(image)

    def publish(self, image: SimulatedImage) -> None:
        """Make it available, in place of what had its name."""
        for reference in image.references:
            self._images[reference] = image

    def withdraw(self, reference: str) -> None:
        """Make a name lead nowhere."""
        self._images.pop(parse_image(reference, at="reference").canonical, None)

    def find(self, image: ImageRef) -> SimulatedImage | None:
        """What is there under that reference."""
        found = self._images.get(image.canonical)
        if found is None and self._everything:
            return SimulatedImage(reference=image.canonical)
        return found


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
