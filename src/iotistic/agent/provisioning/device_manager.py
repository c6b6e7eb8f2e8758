"""The one that joins a cloud, stays known to it, and leaves it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Protocol
from uuid import uuid4

from iotistic.agent.clock import Clock
from iotistic.agent.endpoint import parse_endpoint
from iotistic.agent.host.crypto_child import in_child
from iotistic.agent.host.files import remove_durably
from iotistic.agent.logs import AgentLogger
from iotistic.agent.provisioning import decisions, factory_reset, transitions
from iotistic.agent.provisioning.decisions import Idle, Offer, Task, Wish
from iotistic.agent.provisioning.factory_reset import ResetPlan, ResetStore
from iotistic.agent.provisioning.membership import FAREWELL_TIMEOUT_S, IdentityStore, Membership
from iotistic.agent.provisioning.pinned_ca import is_pin, parse_pin
from iotistic.agent.provisioning.registration import Crypto
from iotistic.agent.provisioning.settings import ProvisioningSettings
from iotistic.agent.provisioning.status import ProvisioningStatus, status_of
from iotistic.agent.provisioning.task_loop import TaskLoop
from iotistic.agent.store.records import CloudLink, Identity, ProvisioningPhase, ResetOptions
from iotistic.agent.traffic import Traffic
from iotistic.agent.trust import make_ssl_context, normalize_pem
from iotistic.engines.protocol import Engine
from iotistic.model.errors import Conflict, InvalidField, IotisticError, Refused
from iotistic.model.reader import check_text
from iotistic.model.secret import Secret
from iotistic.model.words import LogComponent

_KEY = re.compile(r"[\x21-\x7e]{8,512}")
_NAME_LENGTH_MAX = 255
_HASH_KEY_BYTES = 32


class ProvisioningStore(IdentityStore, ResetStore, Protocol):
    """What of the store is used by this room."""

    @property
    def database_was_missing(self) -> bool:
        """Somebody deleted the database, which is a wish to join anew."""
        ...


class DeviceManager:
    """Joins the cloud when there is a key at hand, and does what a person asks about it.

    `run` works in the background; the methods store a wish and wake it. `on_change` is called
    whenever the identity changed, `on_reset` when a reset is done and the agent should start anew.
    `access_file` lets its holder in on this machine; the next owner gets another one.
    """

    def __init__(
        self,
        *,
        store: ProvisioningStore,
        engine: Engine,
        clock: Clock,
        log: AgentLogger,
        rng: Random,
        settings: ProvisioningSettings,
        on_change: Callable[[], None],
        on_reset: Callable[[], None],
        access_file: Path,
        crypto: Crypto = in_child,
        traffic: Traffic | None = None,
        clock_in_doubt: Callable[[], bool] | None = None,
    ) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self._log = log.bind(component=LogComponent.PROVISIONING)
        self._settings = settings
        self._on_change = on_change
        self._on_reset = on_reset
        self._access_file = access_file
        self._has_reset = False
        self._database_was_missing = store.database_was_missing
        self._crypto = crypto
        self._membership = Membership(
            store=store,
            clock=clock,
            log=self._log,
            settings=settings,
            crypto=crypto,
            traffic=traffic if traffic is not None else Traffic(),
            clock_in_doubt=clock_in_doubt,
        )
        self._loop = TaskLoop(
            clock=clock,
            rng=rng,
            log=self._log,
            tasks=self._tasks,
            do=self._do,
            failed=self._failed,
        )

    # -- what others ask

    def link(self) -> CloudLink | None:
        """The link to poll and report over; None when there is none that is known to work."""
        return decisions.link_for_sync(
            self._store.identity, machine_hash=self._settings.machine_hash
        )

    @property
    def resetting(self) -> bool:
        """A factory reset is under way: nothing of ours may be started.

        Until the agent has started anew, also when the journal is done already: what else runs in
        this process still holds the target and the engine of the device that was.
        """
        return self._has_reset or self._store.reset_pending is not None

    @property
    def machine_matches(self) -> bool:
        """Whether this state folder was made on this machine, as far as that can be told."""
        return not decisions.is_another_machine(self._store.identity, self._settings.machine_hash)

    def may_run_services(self, *, has_target: bool) -> bool:
        """Whether services may run, see `REQUIRE_PROVISIONING`."""
        return not self.resetting and decisions.may_run_services(
            require=self._settings.require, identity=self._store.identity, has_target=has_target
        )

    def status(self) -> ProvisioningStatus:
        """How it stands now."""
        return status_of(
            self._store.identity,
            self._wish(),
            self._settings,
            failure=self._loop.failure,
            now_s=self._clock.now_s(),
            resetting=self.resetting,
        )

    # -- what a person asks for

    async def provision(
        self,
        key: str,
        *,
        endpoint: str | None = None,
        device_name: str | None = None,
        device_type: str | None = None,
        ca: str | None = None,
    ) -> ProvisioningStatus:
        """Store the wish to join; the rest happens in the background, `status` tells how it goes.

        `ca` is PEM text or a pin. Raises InvalidField, or Conflict (`already-provisioned`) in a
        cloud that knows the device; one that does not is asked, and need not be left first.
        """
        api_key = Secret(
            check_text(
                key.strip(),
                "provisioningApiKey",
                pattern=_KEY,
                expected="a key as iotctl fleet keys create shows it",
                secret=True,
            )
        )
        ca_cert = await self._check_ca(ca) if ca else None
        async with self._loop.alone():
            identity = self._store.identity
            if decisions.is_joined(identity) and not await self._membership.is_refused():
                raise Conflict(
                    "this device is in a cloud already",
                    code="already-provisioned",
                    remedy="iotctl deprovision first",
                )
            where = endpoint or self._settings.endpoint or identity.provisioning_endpoint
            if not where:
                raise InvalidField(
                    "apiEndpoint", expected="the cloud's address", remedy="give --api URL"
                )
            parse_endpoint(where, allow_insecure=self._settings.allow_insecure, at="apiEndpoint")
            wish = Wish(
                api_key=api_key,
                endpoint=where,
                ca_cert=ca_cert or self._settings.ca_cert,
                device_name=_checked_name(device_name, "deviceName"),
                device_type=_checked_name(device_type, "deviceType"),
            )
            offered = self._settings.api_key
            # A person's word is newer than the environment's key: that one is spent.
            other = offered is not None and offered != api_key
            spent = decisions.key_hash(offered) if offered and other else None
            await self._save(transitions.begin(identity, wish, spent=spent))
            self._loop.forget_failures()
        return self.status()

    async def deprovision(self) -> bool:
        """Leave the cloud: uuid, keys and services stay. Returns whether the cloud knows already.

        Raises Conflict (`not-provisioned`) when there is nothing to leave.
        """
        async with self._loop.alone():
            identity = self._store.identity
            if identity.phase in {ProvisioningPhase.NEW, ProvisioningPhase.DEPROVISIONED} and (
                not isinstance(self._wish(), Wish)
            ):
                raise Conflict("this device is in no cloud", code="not-provisioned")
            await self._save(transitions.left(identity, offered=self._settings.api_key))
            self._database_was_missing = False
            self._loop.forget_failures()
            self._log.info("left the cloud")
            with contextlib.suppress(IotisticError, TimeoutError):
                # Tried once here for the sake of the answer; else in the background.
                async with asyncio.timeout(FAREWELL_TIMEOUT_S):
                    await self._membership.say_farewell()
        return self._store.identity.farewell is None

    async def set_endpoint(self, endpoint: str, *, ca_cert: str | None = None) -> None:
        """Change the cloud's address, once the new one answered an authenticated request.

        Until then, and when it does not, the old one stays. Raises InvalidField, Conflict
        (`not-provisioned`), CloudUnavailable or CloudRefused.
        """
        parse_endpoint(endpoint, allow_insecure=self._settings.allow_insecure, at="apiEndpoint")
        pem = await self._check_ca(ca_cert) if ca_cert else None
        async with self._loop.alone():
            identity = self._store.identity
            if identity.phase is not ProvisioningPhase.PROVISIONED or identity.cloud is None:
                raise Conflict("this device is in no cloud", code="not-provisioned")
            link = replace(identity.cloud, endpoint=endpoint, ca_cert=pem or identity.cloud.ca_cert)
            await self._membership.move(link)
            self._changed()

    async def describe_reset(
        self, *, keep_volumes: bool = False, keep_identity: bool = False
    ) -> ResetPlan:
        """List what a factory reset would remove. Raises EngineUnavailable."""
        found = await factory_reset.describe(
            self._engine,
            self._store,
            ResetOptions(keep_volumes=keep_volumes, keep_identity=keep_identity),
            provisioned=decisions.is_joined(self._store.identity),
        )
        return replace(found, files=(*found.files, str(self._access_file)))

    async def factory_reset(
        self, confirm: str, *, keep_volumes: bool = False, keep_identity: bool = False
    ) -> None:
        """Store the wish to start over; it is carried out in the background, over any crash.

        `confirm` is the device's uuid. Raises Conflict (`confirm-mismatch`).
        """
        self._check_confirmed(confirm)
        async with self._loop.alone():
            await self._store.begin_reset(
                ResetOptions(keep_volumes=keep_volumes, keep_identity=keep_identity)
            )
            self._loop.forget_failures()
            self._changed()

    async def renew_identity(self, confirm: str) -> None:
        """Make a copied disk a device of its own: a new uuid and keys, in no cloud.

        `confirm` is the uuid it has now; the agent is to be restarted then. Raises Conflict
        (`confirm-mismatch`, or `identity-not-cloned` on the machine it was made on).
        """
        self._check_confirmed(confirm)
        if self.machine_matches:
            raise Conflict(
                "this identity belongs to this machine",
                code="identity-not-cloned",
                remedy="iotctl factory-reset starts over",
            )
        pair = await self._crypto("generate-keypair", {})
        async with self._loop.alone():
            await self._save(
                transitions.renewed(
                    self._store.identity,
                    uuid=str(uuid4()),
                    private_key_pem=Secret(pair["private_key_pem"]),
                    hash_key=Secret(secrets.token_hex(_HASH_KEY_BYTES)),
                    machine_hash=self._settings.machine_hash,
                    now_ms=self._clock.wall_ms(),
                )
            )

    # -- the service

    async def run(self) -> None:
        """Join, confirm, say farewell, reset: whatever there is to do, until cancelled."""
        await self._loop.run()

    def _tasks(self) -> Sequence[Task]:
        pending = self._store.reset_pending is not None
        if self._has_reset and not pending:
            return ()
        return decisions.tasks(self._store.identity, self._wish(), resetting=pending)

    async def _do(self, task: Task) -> None:
        match task:
            case Task.RESET:
                await self._reset()
            case Task.JOIN:
                wish = self._wish()
                if isinstance(wish, Wish):
                    await self._save(transitions.begin(self._store.identity, wish))
                    # From here on the phase says that joining was begun.
                    self._database_was_missing = False
                    await self._membership.join(wish)
            case Task.CONFIRM:
                await self._membership.confirm()
            case Task.FAREWELL:
                await self._membership.say_farewell()
        self._changed()

    async def _failed(self, task: Task, error: IotisticError) -> bool:
        identity = self._store.identity
        again = True
        if task is Task.JOIN and isinstance(error, Refused) and decisions.link_in_use(identity):
            # It was in a cloud all the time, over the former link, and simply stays there.
            await self._save(transitions.given_up(identity))
            again = False
        elif task is Task.FAREWELL:
            clock = self._clock
            after = transitions.farewell_failed(
                identity, boot_id=clock.boot_id, now_s=clock.now_s()
            )
            if after != identity:
                await self._save(after)
            again = after.farewell is not None
        self._changed()
        return again

    async def _reset(self) -> None:
        options = self._store.reset_pending
        if options is None:
            return
        self._has_reset = True
        identity = self._store.identity
        link = decisions.link_in_use(identity)
        if link is not None and not self._loop.has_failed(Task.RESET):
            # Best effort and first: afterwards there is no key left to say it with.
            await self._membership.say_farewell_if_possible(link)
        await factory_reset.remove_everything(self._engine, keep_volumes=options.keep_volumes)
        gone = transitions.left(identity, offered=self._settings.api_key)
        # Before the wipe, which ends the journal: killed in between, the reset goes on from here.
        await asyncio.to_thread(remove_durably, self._access_file)
        await self._store.wipe(
            keep_identity=options.keep_identity, spent_key_hash=gone.spent_key_hash
        )
        self._log.info("factory reset done", keep_identity=options.keep_identity)
        self._on_reset()

    # -- helpers

    def _check_confirmed(self, confirm: str) -> None:
        if confirm.strip().lower() != self._store.identity.uuid:
            raise Conflict(
                "the confirmation is not this device's uuid",
                code="confirm-mismatch",
                remedy="iotctl provision status shows it",
            )

    async def _save(self, identity: Identity) -> None:
        if identity != self._store.identity:
            await self._store.save_identity(identity)
            self._changed()

    def _changed(self) -> None:
        self._on_change()
        self._loop.wake()

    def _wish(self) -> Wish | Idle:
        return decisions.wish_of(
            self._store.identity,
            Offer(
                api_key=self._settings.api_key,
                endpoint=self._settings.endpoint,
                ca_cert=self._settings.ca_cert,
            ),
            machine_hash=self._settings.machine_hash,
            database_was_missing=self._database_was_missing,
        )

    async def _check_ca(self, text: str) -> str:
        """A pin or a certificate that can be used; raises InvalidField."""
        if is_pin(text):
            return parse_pin(text)
        pem = normalize_pem(text)
        await asyncio.to_thread(make_ssl_context, pem)
        return pem


def _checked_name(text: str | None, at: str) -> str | None:
    return None if text is None else check_text(text, at, length_max=_NAME_LENGTH_MAX) or None
