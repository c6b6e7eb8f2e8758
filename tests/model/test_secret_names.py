from __future__ import annotations

import pytest

from iotistic.model.secret_names import is_secret_name


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True),
        ("mqttPassword", True),
        ("MQTT_PASSWORD", True),
        ("provisioningApiKey", True),
        ("apiKey", True),
        ("API_KEY", True),
        ("hash_key", True),
        ("key", True),
        ("X-Device-API-Key", True),
        ("authorization", True),
        ("api_token", True),
        ("clientSecret", True),
        ("public_key", False),
        ("keyId", False),
        ("keys", False),
        ("service", False),
        ("component", False),
        ("monkey", False),
        ("", False),
    ],
)
def test_which_names_sound_secret(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret
