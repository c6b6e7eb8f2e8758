"""The last lines that services wrote: kept for people, without what is secret in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from iotistic.agent.logs import AgentLogger
from iotistic.agent.logs.redaction import Redactor
from iotistic.engines.protocol import Engine
from iotistic.model.errors import IotisticError
from iotistic.model.secret import Secret
from iotistic.model.secret_names import is_secret_name
from iotistic.planner.wanted import Wanted
from iotistic.planner.world import Subject

LINES = 50
_BYTES = 8 * 1024
_SERVICES_MAX = 200


class LastWords:
    """Reads the last output of containers, and remembers that of those which are made anew.

    It goes into the store, the report and the Device API, so the app's own secret values are
    masked right here: whoever keeps them no longer knows which they were.
    """

    def __init__(
        self, engine: Engine, log: AgentLogger, *, secrets_of: Callable[[int], Iterable[Secret]]
    ) -> None:
        self._engine = engine
        self._log = log
        self._secrets_of = secrets_of
        self._kept: dict[Subject, tuple[str, ...]] = {}

    def kept(self, subject: Subject) -> Sequence[str]:
        """What a service wrote before its ended container was removed."""
        return self._kept.get(subject, ())

    async def keep(self, subject: Subject, container_id: str) -> None:
        """Remember what a container wrote that is about to be removed."""
        self._kept.pop(subject, None)
        self._kept[subject] = tuple(await self._read(subject.app_id, container_id))
        while len(self._kept) > _SERVICES_MAX:
            del self._kept[next(iter(self._kept))]

    async def of(self, subject: Subject, container_id: str) -> Sequence[str]:
        """The last lines of a service: of its container, or of the one that ended before it."""
        lines = await self._read(subject.app_id, container_id) if container_id else []
        return lines or self.kept(subject)

    async def _read(self, app_id: int, container_id: str) -> list[str]:
        lines: list[str] = []
        # Those of now and of afterwards: another target may be taken up while it is read.
        secrets = {*self._secrets_of(app_id)}
        output = self._engine.logs(container_id, tail=LINES, follow=False)
        try:
            lines = [line.text async for line in output]
        except IotisticError as error:
            # What it said is a help for people; that it runs again is the job.
            self._log.debug("last output lost", code=error.code, container=container_id)
        shown = without_secrets(lines, secrets.union(self._secrets_of(app_id)))
        return "\n".join(shown)[-_BYTES:].splitlines()[-LINES:]


def without_secrets(lines: Iterable[str], secrets: Iterable[Secret]) -> list[str]:
    """The lines with these values, and what always is a secret, masked."""
    redactor = Redactor()
    redactor.learn(*secrets)
    return [redactor.text(line) for line in lines]


def secrets_in(wanted: Wanted, app_id: int) -> Iterable[Secret]:
    """Every value of an app that must not be shown: of its secrets and of its environments.

    Environments as a whole, since a name does not tell whether its value is one.
    """
    for app in (*wanted.apps, *wanted.good.values()):
        if app.app_id != app_id:
            continue
        for service in app.services:
            request = service.request
            yield from (value for _, value in request.spec.environment)
            yield from (value for _, value in request.secret_environment)
            yield from (f.content for f in request.folders if f.content is not None)


def hidden_in(wanted: Wanted, app_id: int) -> Iterable[Secret]:
    """What must not be shown of an app where all else is to be readable: its secrets, and those
    variables of an environment whose names sound like one.
    """
    for app in (*wanted.apps, *wanted.good.values()):
        if app.app_id != app_id:
            continue
        for service in app.services:
            request = service.request
            variables = request.spec.environment
            yield from (value for name, value in variables if is_secret_name(name))
            yield from (value for _, value in request.secret_environment)
            yield from (f.content for f in request.folders if f.content is not None)
