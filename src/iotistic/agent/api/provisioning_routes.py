"""Joining a cloud, leaving it, starting over, and who this device is."""

from __future__ import annotations

import re

from aiohttp import web

from iotistic.agent.api.device_views import identity_json
from iotistic.agent.api.replies import json_reply
from iotistic.agent.api.requests import query_flag, read_fields
from iotistic.agent.api.rooms import Rooms
from iotistic.model.errors import InvalidField

_KEY_LENGTH_MAX = 512
_NAME_LENGTH_MAX = 255
_URL_LENGTH_MAX = 2048
_PEM_LENGTH_MAX = 64 * 1024
_PIN = re.compile(r"sha256:[0-9a-fA-F]{64}")


class ProvisioningRoutes:
    """`/v1/provision`, `/v1/deprovision`, `/v1/factory-reset`, `/v1/identity`."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def routes(self) -> list[web.RouteDef]:
        """What is answered here."""
        return [
            web.get("/v1/provision/status", self.status),
            web.post("/v1/provision", self.provision),
            web.post("/v1/deprovision", self.deprovision),
            web.get("/v1/factory-reset", self.describe_reset),
            web.post("/v1/factory-reset", self.reset),
            web.get("/v1/identity", self.identity),
            web.post("/v1/identity/renew", self.renew),
        ]

    async def status(self, _: web.Request) -> web.Response:
        """How joining goes."""
        return json_reply(self._rooms.provisioning.status().as_json())

    async def provision(self, request: web.Request) -> web.Response:
        """Store the wish to join."""
        fields = await read_fields(request)
        ca_cert = fields.optional_text("caCert", length_max=_PEM_LENGTH_MAX)
        ca_pin = fields.optional_text(
            "caPin", pattern=_PIN, expected="sha256: and 64 hexadecimal digits"
        )
        if ca_cert and ca_pin:
            raise InvalidField("caPin", expected="nothing beside caCert", found=ca_pin)
        status = await self._rooms.provisioning.provision(
            fields.text(
                "provisioningApiKey",
                length_max=_KEY_LENGTH_MAX,
                expected="a key as iotctl fleet keys create shows it",
                secret=True,
            ),
            endpoint=fields.optional_text("apiEndpoint", length_max=_URL_LENGTH_MAX),
            device_name=fields.optional_text("deviceName", length_max=_NAME_LENGTH_MAX),
            device_type=fields.optional_text("deviceType", length_max=_NAME_LENGTH_MAX),
            ca=ca_cert or ca_pin,
        )
        return json_reply(status.as_json(), status=202)

    async def deprovision(self, request: web.Request) -> web.Response:
        """Leave the cloud; services go on."""
        await read_fields(request)
        uuid = self._rooms.store.identity.uuid
        told = await self._rooms.provisioning.deprovision()
        return json_reply({"status": "deprovisioned", "uuid": uuid, "cloudTold": told})

    async def describe_reset(self, request: web.Request) -> web.Response:
        """What a factory reset would take away."""
        preview = await self._rooms.provisioning.describe_reset(
            keep_volumes=query_flag(request, "keepVolumes"),
            keep_identity=query_flag(request, "keepIdentity"),
        )
        return json_reply(preview.as_json())

    async def reset(self, request: web.Request) -> web.Response:
        """Store the wish to start over."""
        fields = await read_fields(request)
        confirm = fields.text("confirm", length_max=64, expected="the uuid of this device")
        keep_volumes = fields.boolean("keepVolumes", default=False)
        keep_identity = fields.boolean("keepIdentity", default=False)
        uuid = self._rooms.store.identity.uuid
        await self._rooms.provisioning.factory_reset(
            confirm, keep_volumes=keep_volumes, keep_identity=keep_identity
        )
        return json_reply(
            {
                "status": "resetting",
                "uuid": uuid,
                "keepVolumes": keep_volumes,
                "keepIdentity": keep_identity,
            },
            status=202,
        )

    async def identity(self, _: web.Request) -> web.Response:
        """Who this device is."""
        provisioning = self._rooms.provisioning
        return json_reply(
            identity_json(
                provisioning.status(),
                created_at_ms=self._rooms.store.identity.created_at_ms,
                machine_matches=provisioning.machine_matches,
            )
        )

    async def renew(self, request: web.Request) -> web.Response:
        """Make a copied disk a device of its own."""
        fields = await read_fields(request)
        confirm = fields.text("confirm", length_max=64, expected="the uuid of this device")
        uuid = self._rooms.store.identity.uuid
        await self._rooms.provisioning.renew_identity(confirm)
        self._rooms.agent.restart()
        return json_reply({"status": "renewing", "uuid": uuid}, status=202)
