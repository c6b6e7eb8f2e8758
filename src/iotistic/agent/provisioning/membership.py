"""Being known to a cloud: one method a task, each of which stores what came of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from iotistic.agent.clock import Clock
from iotistic.agent.endpoint import parse_endpoint
from iotistic.agent.http import CloudHttp, CloudRefused
from iotistic.agent.logs import AgentLogger
from iotistic.agent.provisioning import decisions, registration, transitions
from iotistic.agent.provisioning.decisions import Wish
from iotistic.agent.provisioning.pinned_ca import fetch_pinned_ca, is_pin
from iotistic.agent.provisioning.registration import Applicant, Crypto, NoSuchDialect
from iotistic.agent.provisioning.replies import Joined
from iotistic.agent.provisioning.settings import ProvisioningSettings
from iotistic.agent.store.records import CloudLink, Identity
from iotistic.agent.traffic import Traffic
from iotistic.model.errors import CloudUnavailable, InvalidField, IotisticError, Refused

FAREWELL_TIMEOUT_S = 10.0


class IdentityStore(Protocol):
    """What of the store is used here."""

    @property
    def identity(self) -> Identity:
        """Who this device is."""
        ...

    async def save_identity(self, identity: Identity) -> None:
        """Durable when it returns."""
        ...


class Membership:
    """Joins a cloud, makes sure of it, moves with it and leaves it.

    May be stopped at any await: what was asked may be asked again, what was answered is stored
    before it is used. Raises what CloudHttp and the crypto child raise.
    """

    def __init__(
        self,
        *,
        store: IdentityStore,
        clock: Clock,
        log: AgentLogger,
        settings: ProvisioningSettings,
        crypto: Crypto,
        traffic: Traffic,
        clock_in_doubt: Callable[[], bool] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._log = log
        self._settings = settings
        self._crypto = crypto
        self._traffic = traffic
        self._clock_in_doubt = clock_in_doubt

    async def join(self, wish: Wish) -> None:
        """Key exchange and registration with the wish's cloud, from the start."""
        identity = self._store.identity
        ca_cert = wish.ca_cert
        if ca_cert and is_pin(ca_cert):
            endpoint = parse_endpoint(wish.endpoint, allow_insecure=self._settings.allow_insecure)
            ca_cert = await fetch_pinned_ca(endpoint, ca_cert) if endpoint.secure else None
        async with self._http_at(wish.endpoint, ca_cert) as http:
            joined = await self._register(http, identity, wish)
        await self._store.save_identity(
            transitions.registered(
                self._store.identity, joined, ca_cert=ca_cert, now_ms=self._clock.wall_ms()
            )
        )
        self._log.info(
            "registered", device_id=joined.link.device_id, dialect=joined.link.dialect.value
        )

    async def _register(self, http: CloudHttp, identity: Identity, wish: Wish) -> Joined:
        spoken = identity.cloud.dialect if identity.cloud else None
        first, *others = decisions.dialects(self._settings.dialect, spoken)
        applicant = self._applicant(identity)
        try:
            return await registration.register(http, first, applicant, wish.api_key, self._crypto)
        except NoSuchDialect as error:
            if not others:
                raise
            self._log.info("trying the older dialect", error=error)
        return await registration.register(http, others[0], applicant, wish.api_key, self._crypto)

    async def confirm(self) -> None:
        """Use the stored credentials once; then the provisioning key is erased."""
        identity = self._store.identity
        failure: IotisticError | None = None
        for link in registration.candidates(
            identity.cloud,
            endpoint=identity.provisioning_endpoint,
            ca_cert=identity.provisioning_ca_cert,
            allow_insecure=self._settings.allow_insecure,
        ):
            try:
                async with self.http(link) as http:
                    await registration.prove(http, link, identity.uuid)
            except (CloudUnavailable, Refused, InvalidField) as error:
                failure = error
                continue
            await self._store.save_identity(transitions.confirmed(self._store.identity, link))
            self._log.info("provisioned", endpoint=link.endpoint)
            return
        if failure is None or decisions.credentials_are_dead(failure):
            await self._store.save_identity(transitions.credentials_lost(self._store.identity))
        if failure is not None:
            raise failure

    async def is_refused(self) -> bool:
        """Whether the cloud, asked now, says that it does not know these credentials."""
        identity = self._store.identity
        link = decisions.link_in_use(identity)
        if link is None:
            return False
        try:
            async with self.http(link) as http:
                await registration.prove(http, link, identity.uuid)
        except (CloudUnavailable, Refused, InvalidField) as error:
            return decisions.credentials_are_dead(error)
        return False

    async def move(self, link: CloudLink) -> None:
        """Go over to another address of the cloud, once it answered there."""
        async with self.http(link) as http:
            await http.health()
            await registration.prove(http, link, self._store.identity.uuid)
        await self._store.save_identity(transitions.moved(self._store.identity, link))
        self._log.info("cloud address changed", endpoint=link.endpoint)

    async def say_farewell(self) -> None:
        """Tell the cloud that was left."""
        identity = self._store.identity
        if identity.farewell is None:
            return
        try:
            async with self.http(identity.farewell) as http:
                await registration.say_farewell(http, identity.farewell, identity.uuid)
        except CloudRefused as error:
            if not decisions.is_told(error):
                raise
        await self._store.save_identity(transitions.farewell_done(self._store.identity))
        self._log.info("the cloud knows that the device left")

    async def say_farewell_if_possible(self, link: CloudLink) -> None:
        """Tell this cloud, without a second try and without much waiting."""
        with contextlib.suppress(IotisticError, TimeoutError):
            async with asyncio.timeout(FAREWELL_TIMEOUT_S), self.http(link) as http:
                await registration.say_farewell(http, link, self._store.identity.uuid)

    def http(self, link: CloudLink) -> CloudHttp:
        """A client for this link."""
        return self._http_at(link.endpoint, link.ca_cert, verify=link.verify_certificate)

    def _http_at(self, endpoint: str, ca_cert: str | None, *, verify: bool = True) -> CloudHttp:
        return CloudHttp(
            endpoint,
            clock=self._clock,
            ca_cert=ca_cert,
            verify_certificate=verify,
            allow_insecure=self._settings.allow_insecure,
            api_version=self._settings.api_version,
            agent_version=self._settings.agent_version,
            traffic=self._traffic,
            clock_in_doubt=self._clock_in_doubt,
        )

    def _applicant(self, identity: Identity) -> Applicant:
        settings = self._settings
        return Applicant(
            uuid=identity.uuid,
            private_key_pem=identity.private_key_pem,
            hash_key=identity.hash_key,
            device_name=settings.name_of(identity),
            device_type=settings.type_of(identity),
            mac_address=settings.mac_address,
            os_version=settings.os_version,
            application_id=settings.application_id,
            agent_version=settings.agent_version,
            architecture=settings.architecture,
        )
