from __future__ import annotations

from typing import Any

from tests.cli import answers
from tests.cli.harness import Iotctl
from tests.cli.scripted_server import Answer, Script, refused
from tests.cli.test_agent_database import restarted
from tests.cli.test_status import lines

PREVIEW = {
    "uuid": answers.UUID,
    "containers": [{"name": "shop_web_1-9f0c1f2e", "appId": 1001, "serviceName": "web"}],
    "networks": ["1001_default-9f0c1f2e"],
    "volumes": [],
    "files": ["/var/lib/iotistic/device.sqlite"],
    "identity": True,
    "provisioned": True,
}


def test_a_reset_lists_what_will_go_and_does_nothing_unasked(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/factory-reset", PREVIEW)

    said = iotctl("factory-reset", "--keep-volumes")

    assert said.code == 2
    assert said.err.startswith(
        lines(
            "This will go:",
            "  containers: 1 (shop_web_1-9f0c1f2e)",
            "  networks: 1 (1001_default-9f0c1f2e)",
            "  volumes: none",
            "  files: 1 (/var/lib/iotistic/device.sqlite)",
            f"  identity: {answers.UUID} and its keys",
            "  the place in the cloud: the device leaves it",
        )
    )
    assert [asked.method for asked in agent.asked] == ["GET"]
    assert agent.last.query == {"keepVolumes": "true", "keepIdentity": "false"}


def test_a_reset_is_confirmed_with_the_uuid_it_was_about(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/factory-reset", PREVIEW)
    agent.on(
        "POST", "/v1/factory-reset", Answer(202, {"status": "resetting", "uuid": answers.UUID})
    )

    agent.on("GET", "/v1/status", restarted(4711), restarted(4712))

    said = iotctl("factory-reset", "--yes", "--keep-identity")

    assert said.code == 0
    assert said.err.endswith("the agent is back (pid 4712)\n")
    (sent,) = [asked for asked in agent.asked if asked.method == "POST"]
    assert sent.document == {
        "confirm": answers.UUID,
        "keepVolumes": False,
        "keepIdentity": True,
    }


def identity(**changes: Any) -> dict[str, Any]:
    return {
        "uuid": answers.UUID,
        "deviceId": "17",
        "phase": "provisioned",
        "dialect": "v2",
        "createdAt": 1760000000000,
        "registeredAt": None,
        "machineMatches": True,
        **changes,
    }


def test_identity_is_shown(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/identity", identity(machineMatches=False))

    said = iotctl("identity")

    assert said.out.startswith(f"uuid          {answers.UUID}\ndevice id     17\n")
    assert said.out.endswith("next: if this card is a copy: iotctl identity renew\n")


def test_a_new_identity_is_confirmed_with_the_old_one(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/identity", identity())
    agent.on(
        "POST", "/v1/identity/renew", Answer(202, {"status": "renewing", "uuid": answers.UUID})
    )

    assert iotctl("identity", "renew").code == 2
    assert iotctl("identity", "renew", "-y").code == 0
    assert agent.last.document == {"confirm": answers.UUID}


def setting(**changes: Any) -> dict[str, Any]:
    return {
        "name": "POLL_INTERVAL_MS",
        "value": "5000",
        "source": "local",
        "default": "60000",
        "secret": False,
        "localOnly": False,
        "restart": False,
        **changes,
    }


ENDPOINTS = {
    "apiEndpoint": "https://new.example.com",
    "pendingApiEndpoint": None,
    "previousApiEndpoint": "https://old.example.com",
}


def test_settings_are_shown_with_their_source(iotctl: Iotctl, agent: Script) -> None:
    key = setting(name="PROVISIONING_API_KEY", value="***", source="environment", default=None)
    agent.on("GET", "/v1/config", {"settings": [setting(), key], **ENDPOINTS})

    said = iotctl("config", "show")

    assert said.out == lines(
        "SETTING               VALUE  SOURCE       DEFAULT",
        "POLL_INTERVAL_MS      5000   local        60000",
        "PROVISIONING_API_KEY  ***    environment  -",
        "",
        "cloud   https://new.example.com",
        "before  https://old.example.com",
    )


def sent(**changes: Any) -> dict[str, Any]:
    return {
        "key": "settings.targetStatePollIntervalMs",
        "setting": "POLL_INTERVAL_MS",
        "outcome": "applied",
        "reason": None,
        "message": None,
        **changes,
    }


def test_what_the_cloud_sent_is_shown_with_what_came_of_it(iotctl: Iotctl, agent: Script) -> None:
    odd = sent(
        key="logging.level", outcome="rejected", reason="pinned", message="LOG_LEVEL is pinned"
    )
    agent.on(
        "GET",
        "/v1/config",
        {"settings": [setting(source="cloud")], "cloud": [sent(), odd], **ENDPOINTS},
    )

    said = iotctl("config", "show")

    assert said.out == lines(
        "SETTING           VALUE  SOURCE  DEFAULT",
        "POLL_INTERVAL_MS  5000   cloud   60000",
        "",
        "FROM THE CLOUD                      OUTCOME   WHY",
        "settings.targetStatePollIntervalMs  applied   -",
        "logging.level                       rejected  LOG_LEVEL is pinned",
        "",
        "cloud   https://new.example.com",
        "before  https://old.example.com",
    )


def test_one_setting_is_printed_bare(iotctl: Iotctl, agent: Script) -> None:
    agent.on("GET", "/v1/config/POLL_INTERVAL_MS", setting())

    assert iotctl("config", "get", "POLL_INTERVAL_MS").out == "5000\n"


def test_a_setting_is_set_and_taken_back(iotctl: Iotctl, agent: Script) -> None:
    agent.on("PATCH", "/v1/config", {"settings": [setting(restart=True)]})

    said = iotctl("config", "set", "POLL_INTERVAL_MS", "5000")

    assert said.out == "POLL_INTERVAL_MS=5000  (local)\n"
    assert "iotctl restart" in said.err
    assert agent.last.document == {"settings": {"POLL_INTERVAL_MS": "5000"}}
    iotctl("config", "reset", "POLL_INTERVAL_MS")
    assert agent.last.document == {"settings": {"POLL_INTERVAL_MS": None}}


def test_a_value_that_is_none_is_2(iotctl: Iotctl, agent: Script) -> None:
    agent.on("PATCH", "/v1/config", refused(400, "invalid-field", "POLL_INTERVAL_MS: expected …"))

    assert iotctl("config", "set", "POLL_INTERVAL_MS", "soon").code == 2


def test_moving_to_another_cloud(iotctl: Iotctl, agent: Script) -> None:
    agent.on("PUT", "/v1/config/api-endpoint", ENDPOINTS)
    agent.on("GET", "/v1/config", {"settings": [], **ENDPOINTS})

    said = iotctl("config", "set-api", "https://new.example.com")

    assert agent.last.document == {"apiEndpoint": "https://new.example.com"}
    assert said.out == "cloud   https://new.example.com\nbefore  https://old.example.com\n"
    assert iotctl("config", "get-api").out == said.out


def test_a_cloud_that_cannot_be_heard_is_3(iotctl: Iotctl, agent: Script) -> None:
    agent.on("PUT", "/v1/config/api-endpoint", refused(503, "certificate-untrusted", "no"))

    assert iotctl("config", "set-api", "https://new.example.com").code == 3
