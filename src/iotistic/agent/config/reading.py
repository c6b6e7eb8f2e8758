"""Reads a config document: what it says for each setting, and what is to be said of each key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from iotistic.agent.config.keys import (
    NOT_BUILT,
    ONLY_DOCKER,
    SECTIONS,
    SETTING_KEYS,
    Form,
    SettingKey,
    asks_for_nothing,
    form_of,
    told,
)
from iotistic.agent.config.outcome import Outcome, OutcomeKind, Reason
from iotistic.agent.setting_list import BY_NAME
from iotistic.model.errors import InvalidField
from iotistic.model.reader import join

UNKNOWN_MAX = 50
"""So many unknown keys are named; the others are counted."""
_RANKS = {path: rank for rank, path in enumerate(SETTING_KEYS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a config says: a valid text by setting, and the outcome of each key, by path.

    An `APPLIED` one for a setting is what the document alone can say: it can be used. `texts` has
    what each of these keys says.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)


def read_config(document: Mapping[str, Any]) -> Reading:
    """Read every key by itself: whatever one is, the others count. Never raises. Pure."""
    values: dict[str, str] = {}
    texts: dict[str, str] = {}
    said_by: dict[str, str] = {}
    outcomes: list[Outcome] = []
    unknown: list[str] = []
    for path, value in sorted(_keys(document), key=lambda key: _RANKS.get(key[0], len(_RANKS))):
        if (key := SETTING_KEYS.get(path)) is not None:
            outcome, text = _for_setting(path, key, value)
            if text is not None:
                first = values.setdefault(key.setting, text)
                said_by.setdefault(key.setting, path)
                if first == text:
                    texts[path] = text
                else:
                    outcome = _given_twice(path, key.setting, said_by[key.setting])
            outcomes.append(outcome)
        elif (form := NOT_BUILT.get(path)) is not None:
            outcomes.append(_not_built(path, form, value))
        elif path in SECTIONS:
            outcomes.append(_invalid(InvalidField(path, expected=Form.OBJECT, found=told(value))))
        else:
            unknown.append(path)
    outcomes.extend(_unknown(unknown))
    return Reading(
        values=values, outcomes=tuple(sorted(outcomes, key=lambda o: o.path)), texts=texts
    )


def _keys(section: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    """Every key with its path. What is null is not there; an empty section says nothing."""
    for name, value in section.items():
        path = join(at, str(name))
        if path in SECTIONS and isinstance(value, Mapping):
            yield from _keys(value, path)
        elif value is not None:
            yield path, value


def _for_setting(path: str, key: SettingKey, value: Any) -> tuple[Outcome, str | None]:
    setting = BY_NAME[key.setting]
    # Said before the value is looked at: it may be a secret, and must not stand in a message.
    if setting.local_only:
        message = f"{setting.name} is given by the environment of the agent only"
        return _rejected(path, setting.name, Reason.LOCAL_ONLY, message), None
    if setting.device_only:
        message = f"{setting.name} is set on the device only"
        return _rejected(path, setting.name, Reason.DEVICE_ONLY, message), None
    try:
        text = key.as_text(value, path)
        setting.parse(text, path)
    except InvalidField as error:
        return _invalid(error, path=path, setting=setting.name), None
    return Outcome(path=path, kind=OutcomeKind.APPLIED, setting=setting.name), text


def _not_built(path: str, form: Form, value: Any) -> Outcome:
    if form_of(value) is not form:
        # Only what it is, not what it says: nobody checked that no secret got there by mistake.
        return _invalid(InvalidField(path, expected=form, found=str(form_of(value))))
    if asks_for_nothing(value) or (path == ONLY_DOCKER and value == "docker"):
        return Outcome(path=path, kind=OutcomeKind.APPLIED)
    return Outcome(path=path, kind=OutcomeKind.UNSUPPORTED, message="not supported by this version")


def _given_twice(path: str, setting: str, winner: str) -> Outcome:
    message = f"{winner} says otherwise, and wins"
    return _rejected(path, setting, Reason.GIVEN_TWICE, message)


def _invalid(
    error: InvalidField, *, path: str | None = None, setting: str | None = None
) -> Outcome:
    at = path or error.path
    return _rejected(at, setting, Reason.INVALID, error.message.removeprefix(f"{at}: "))


def _rejected(path: str, setting: str | None, reason: Reason, message: str) -> Outcome:
    return Outcome(
        path=path, kind=OutcomeKind.REJECTED, setting=setting, reason=reason, message=message
    )


def _unknown(paths: list[str]) -> Iterator[Outcome]:
    shown, rest = sorted(paths)[:UNKNOWN_MAX], max(0, len(paths) - UNKNOWN_MAX)
    for path in shown:
        yield Outcome(path=path, kind=OutcomeKind.UNKNOWN, message="unknown key, ignored")
    if rest:
        yield Outcome(
            path="…", kind=OutcomeKind.UNKNOWN, message=f"{rest} more unknown keys, ignored"
        )
