"""What the device is brought to: the target, and the good releases to go back to, worked out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from iotistic.agent.logs import AgentLogger
from iotistic.agent.reconciler.intake import Taken
from iotistic.agent.store import Store
from iotistic.model.earlier import read_stored
from iotistic.model.errors import InvalidField, Unavailable
from iotistic.model.secret import Secret
from iotistic.model.secret_names import is_secret_name
from iotistic.model.target import TargetState
from iotistic.planner.making import Site
from iotistic.planner.policy import Policy
from iotistic.planner.releases import aimed, rejection_of
from iotistic.planner.wanted import NOTHING_WANTED, Wanted, WantedApp, work_out, work_out_app
from iotistic.planner.world import Releases


class Aim:
    """The target as the planner uses it, together with what was well before it."""

    def __init__(self, store: Store, log: AgentLogger, *, policy: Policy, runtime_dir: str) -> None:
        self._store = store
        self._log = log
        self._policy = policy
        self._runtime_dir = runtime_dir
        self.wanted: Wanted = NOTHING_WANTED
        self.target_hash: str | None = None
        self.steady = asyncio.Lock()
        """Held while notes are made, and while another target is taken up: so no note is about a
        release that was given up meanwhile, such as a watch that nobody would end."""
        self._releases = Releases()

    @property
    def in_force(self) -> Wanted:
        """What is really brought about: rejected releases replaced by good ones."""
        return aimed(self.wanted, self._releases)

    async def adopt(self, taken: Taken) -> None:
        """Aim at another target."""
        worked_out = await asyncio.to_thread(self.work_out, taken.target)
        # Before anything is done with it: an error of an engine may quote what it was given.
        self._log.learn(*(secret for app in worked_out.apps for secret in secrets_of(app)))
        async with self.steady:
            self.wanted = replace(worked_out, good=self.wanted.good)
            self.target_hash = taken.state_hash
            await self._drop_watches()
            await self.learn_good()

    async def _drop_watches(self) -> None:
        """A release that is wanted no more is watched no more: wanted again, its time is new."""
        hashes = {app.app_id: app.release_hash for app in self.wanted.apps}
        for candidate in (await self._store.releases.all()).candidates:
            if hashes.get(candidate.app_id) != candidate.release_hash:
                await self._store.releases.drop_candidate(candidate.app_id)

    async def forgiven(self, target: TargetState) -> frozenset[int]:
        """Who goes to another release and back again to a rejected one wants it tried again."""
        hashes = {app.app_id: app.release_hash for app in self.wanted.apps}
        known = await self._store.releases.all()
        if not known.rejected:
            return frozenset()
        worked_out = await asyncio.to_thread(self.work_out, target)
        return frozenset(
            app.app_id
            for app in worked_out.apps
            if hashes.get(app.app_id, app.release_hash) != app.release_hash
            and rejection_of(known, app) is not None
        )

    async def learn_good(self) -> None:
        """Take up the good releases of the store.

        One that is the target's own is not read again; what cannot be read is no way back.
        """
        self._releases = known = await self._store.releases.all()
        targets = {app.app_id: app for app in self.wanted.apps}
        good: dict[int, WantedApp] = {}
        documents: Mapping[int, Any] | None = None
        for release in known.good:
            app, held = targets.get(release.app_id), self.wanted.good.get(release.app_id)
            if app is not None and app.release_hash == release.release_hash:
                good[release.app_id] = app
            elif held is not None and held.release_hash == release.release_hash:
                good[release.app_id] = held
            else:
                documents = await self._documents() if documents is None else documents
                document = documents.get(release.app_id)
                found = await asyncio.to_thread(self._read, release.app_id, document)
                if found is not None:
                    self._log.learn(*secrets_of(found))
                    good[release.app_id] = found
        self.wanted = replace(self.wanted, good=good)

    def work_out(self, target: TargetState) -> Wanted:
        """A target as this device would make it."""
        identity = self._store.identity
        return work_out(
            target,
            uuid=identity.uuid,
            hash_key=bytes.fromhex(identity.hash_key.reveal()),
            policy=self._policy,
            runtime_dir=self._runtime_dir,
        )

    async def _documents(self) -> Mapping[int, Any]:
        try:
            return await self._store.releases.good_documents()
        except Unavailable as error:
            self._log.warning("good releases cannot be read now", code=error.code)
            return {}

    def _read(self, app_id: int, document: Any) -> WantedApp | None:
        if document is None:
            return None
        identity = self._store.identity
        site = Site(
            uuid=identity.uuid,
            hash_key=bytes.fromhex(identity.hash_key.reveal()),
            runtime_dir=self._runtime_dir,
        )
        try:
            target = read_stored({"apps": {str(app_id): document}, "version": 1})
        except InvalidField as error:
            self._log.warning("good release cannot be read", app_id=app_id, error=str(error))
            return None
        return work_out_app(target.apps[0], site, self._policy)


def secrets_of(app: WantedApp) -> Iterator[Secret]:
    """What of an app is secret beyond doubt: its secrets, and variables that are called so.

    Other variables are plain words more often than not, and would blot out those in the log.
    """
    for service in app.services:
        request = service.request
        yield from (value for _, value in request.secret_environment)
        yield from (f.content for f in request.folders if f.content is not None)
        yield from (v for name, v in request.spec.environment if is_secret_name(name))
