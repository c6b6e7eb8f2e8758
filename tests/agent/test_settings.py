"""Which value of several is in force, and what a setting that is read early may be set by."""

from __future__ import annotations

import pytest

from iotistic.agent.from_settings import make_log
from iotistic.agent.setting_list import BY_NAME
from iotistic.agent.settings import InvalidSettings, Settings, Source
from iotistic.model.errors import Conflict
from tests.agent.virtual_clock import VirtualClock

NAME = "POLL_INTERVAL_MS"


@pytest.mark.parametrize(
    ("environment", "stored", "expected"),
    [
        pytest.param({}, {}, ("60000", Source.DEFAULT), id="nothing set: the default"),
        pytest.param({NAME: "2000"}, {}, ("2000", Source.ENVIRONMENT), id="the environment"),
        pytest.param({NAME: " "}, {}, ("60000", Source.DEFAULT), id="blank: as if not set"),
        pytest.param({NAME: "2000"}, {NAME: "3000"}, ("3000", Source.LOCAL), id="a local value"),
        pytest.param(
            {NAME: "2000", "CONFIG_PIN": NAME}, {NAME: "3000"}, ("2000", Source.PIN), id="a pin"
        ),
        pytest.param(
            {"CONFIG_PIN": NAME}, {NAME: "3000"}, ("60000", Source.PIN), id="a pinned default"
        ),
        pytest.param({}, {NAME: "soon"}, ("60000", Source.DEFAULT), id="an odd one is left out"),
    ],
)
def test_the_value_in_force(
    environment: dict[str, str], stored: dict[str, str], expected: tuple[str, Source]
) -> None:
    settings = Settings(environment)
    settings.adopt(stored)

    row = settings.row(NAME)

    assert (row.value, row.source) == expected


def test_every_odd_value_of_the_environment_is_named_at_once() -> None:
    with pytest.raises(InvalidSettings) as raised:
        Settings({NAME: "soon", "LOG_LEVEL": "loud"})

    assert NAME in str(raised.value)
    assert "LOG_LEVEL" in str(raised.value)


def test_what_is_needed_before_the_store_is_open_is_set_by_the_environment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings({})
    read: set[str] = set()
    value = settings.value

    def noted(name: str) -> object:
        read.add(name)
        return value(name)

    monkeypatch.setattr(settings, "value", noted)
    make_log(settings, VirtualClock())

    # The level is the exception: it is put in force anew once the store is open.
    assert [name for name in read - {"LOG_LEVEL"} if not BY_NAME[name].local_only] == []
    with pytest.raises(Conflict, match="MAX_LOGS"):
        settings.check_change("MAX_LOGS", "50")
