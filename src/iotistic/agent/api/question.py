"""Which target is asked about: the body of a question as a whole target. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iotistic.agent.store.records import StoredTarget
from iotistic.model.errors import InvalidField
from iotistic.model.reader import Fields
from iotistic.model.target_secrets import restored


def asked_target(body: Mapping[str, Any], held: StoredTarget | None) -> Mapping[str, Any]:
    """The target of a body `{apps, config?, version?, keepOthers?}`, as the wire would bring it.

    Without a version it would be the next one. A mask stands for the value that is held. With
    `keepOthers` the body says nothing of apps that it does not have: they stay as they are held.
    Raises InvalidField.
    """
    fields = Fields(body, "")
    keep_others = fields.boolean("keepOthers", default=False)
    if body.get("apps") is None:
        raise InvalidField("apps", expected="an object by app id ({} for none)", found=None)
    document = {name: value for name, value in body.items() if name != "keepOthers"}
    known = {"apps": held.apps if held else {}, "config": held.config if held else {}}
    document |= restored({n: document[n] for n in known if n in document}, known)
    if keep_others:
        document["apps"] = {**known["apps"], **_as_map(document["apps"])}
        document.setdefault("config", known["config"])
    if document.get("version") is None:
        document["version"] = (held.version or 0) + 1 if held else 1
        if held and held.epoch:
            document.setdefault("target_epoch", held.epoch)
    return document


def _as_map(apps: Any) -> Mapping[str, Any]:
    if not isinstance(apps, Mapping):
        raise InvalidField("apps", expected="an object by app id", found=apps)
    return apps
