"""The settings in force: which value of several wins, and where it came from.

A value is looked for in this order, and the first place that has one wins:

    pin          the environment (or the default), for names listed in CONFIG_PIN
    local        `iotctl config set`, kept in the store
    cloud        the target's `config`, kept in the store with the target
    environment
    default

A value that cannot be used refuses the start (environment) or the change (local), with its name;
one from the cloud is left out and reported (`agent.config`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from iotistic.agent.setting_list import ALIASES, BY_NAME, Setting
from iotistic.model.errors import MASK, Conflict, InvalidField, IotisticError, NotFound
from iotistic.model.secret import Secret


class InvalidSettings(IotisticError):
    """The environment holds values that cannot be used; the message names each of them."""

    code: str = "invalid-settings"


class Source(StrEnum):
    """Where a value comes from."""

    PIN = "pin"
    LOCAL = "local"
    CLOUD = "cloud"
    ENVIRONMENT = "environment"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """One setting as it stands, for showing: secret values are masked."""

    name: str
    value: str | None
    source: Source
    default: str | None
    secret: bool
    local_only: bool
    restart: bool


class Settings:
    """All settings in force. Values set locally are handed in once the store is open."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = _known(environment)
        self._local: dict[str, str] = {}
        self._cloud: dict[str, str] = {}
        self._pinned: frozenset[str] = frozenset()
        errors = [_error_of(BY_NAME[name], text) for name, text in self._environment.items()]
        if found := [error for error in errors if error is not None]:
            raise InvalidSettings(
                "; ".join(str(error) for error in found), remedy="correct the environment"
            )
        self._pinned = self.value("CONFIG_PIN")

    def value(self, name: str) -> Any:
        """The parsed value in force, None when there is none."""
        text, _ = self._text(name)
        return None if text is None else BY_NAME[name].parse(text, name)

    def secrets(self) -> list[Secret]:
        """Every secret value that is set anywhere, for those who mask them."""
        places = (self._environment, self._local, self._cloud)
        return [
            Secret(text) for place in places for name, text in place.items() if BY_NAME[name].secret
        ]

    def rows(self) -> list[SettingRow]:
        """Every setting with its value and where that comes from, by name."""
        return [self.row(name) for name in sorted(BY_NAME)]

    def row(self, name: str) -> SettingRow:
        """One setting; raises NotFound for a name there is none of."""
        setting = _setting(name)
        text, source = self._text(name)
        return SettingRow(
            name=name,
            value=MASK if text is not None and setting.secret else text,
            source=source,
            default=setting.default,
            secret=setting.secret,
            local_only=setting.local_only,
            restart=setting.restart,
        )

    def adopt(self, stored: Mapping[str, str]) -> list[IotisticError]:
        """Take up what was set locally earlier; what this version cannot use is returned.

        Never a reason not to start: a value that an older or newer version stored is left where
        it is, and not in force.
        """
        self._local = {}
        refused: list[IotisticError] = []
        for name, text in stored.items():
            setting = BY_NAME.get(name)
            if setting is None or setting.local_only:
                refused.append(NotFound(f"{name} cannot be set locally, ignored"))
            elif (error := _error_of(setting, text)) is not None:
                refused.append(error)
            else:
                self._local[name] = text
        return refused

    def adopt_cloud(self, values: Mapping[str, str]) -> None:
        """Put in force what the cloud says, in place of all that it said before.

        The values have been checked. What is not the cloud's to set is left out here as well.
        """
        self._cloud = {
            name: text for name, text in values.items() if BY_NAME[name].is_for_the_cloud
        }

    def is_in_force(self, name: str, text: str) -> bool:
        """Whether the value in force means the same as `text`, which can be used."""
        return bool(self.value(name) == BY_NAME[name].parse(text, name))

    def check_change(self, name: str, text: str | None) -> None:
        """Raise when a local value cannot be set (or, with None, removed)."""
        setting = _setting(name)
        if setting.local_only:
            raise Conflict(
                f"{name} is given by the environment only",
                code="local-only",
                remedy="set it in the environment of the agent and restart it",
            )
        if name in self._pinned:
            raise Conflict(
                f"{name} is pinned",
                code="pinned",
                remedy="take it out of CONFIG_PIN in the environment of the agent",
            )
        if text is not None and (error := _error_of(setting, text)) is not None:
            raise error

    def change(self, name: str, text: str | None) -> None:
        """Put a local value in force; call `check_change` and store it first."""
        if text is None:
            self._local.pop(name, None)
        else:
            self._local[name] = text

    def _text(self, name: str) -> tuple[str | None, Source]:
        given, default = self._environment.get(name), BY_NAME[name].default
        if name in self._pinned:
            return default if given is None else given, Source.PIN
        if name in self._local:
            return self._local[name], Source.LOCAL
        if name in self._cloud:
            return self._cloud[name], Source.CLOUD
        if given is not None:
            return given, Source.ENVIRONMENT
        return default, Source.DEFAULT


def _known(environment: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name in BY_NAME:
        for candidate in (name, *ALIASES.get(name, ())):
            # An empty variable is how a unit file or compose file says "not set".
            if (text := environment.get(candidate, "").strip()) and name not in found:
                found[name] = text
    return found


def _setting(name: str) -> Setting:
    try:
        return BY_NAME[name]
    except KeyError as error:
        raise NotFound(
            f"there is no setting {name[:64]!r}",
            code="setting-not-found",
            remedy="iotctl config show lists them",
        ) from error


def _error_of(setting: Setting, text: str) -> IotisticError | None:
    try:
        setting.parse(text, setting.name)
    except InvalidField as error:
        if setting.secret:
            return InvalidField(setting.name, expected=error.expected, secret=True)
        return error
    return None
