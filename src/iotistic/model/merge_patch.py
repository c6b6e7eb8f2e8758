"""RFC 7386 merge patches between JSON documents, for reports that say only what changed.

A null in a patch means "gone", so documents that are to be patched hold no null values; with
that, `apply(old, diff(old, new)) == new` for all documents whose top is an object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iotistic.model.canonical import canonical_json


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The patch that makes `new` of `old`; empty when nothing changed.

    Lists change as a whole. 1, 1.0 and true differ, as in JSON text (not for
    Python's `==`), since both sides compare hashes of that text.
    """
    patch: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        if name not in old:
            patch[name] = value
        elif isinstance(value, Mapping) and isinstance(old[name], Mapping):
            if inner := diff(old[name], value):
                patch[name] = inner
        elif canonical_json(old[name]) != canonical_json(value):
            patch[name] = value
    return patch


def apply(target: object, patch: Any) -> Any:
    """`target` after `patch`; neither is changed. A target that is no object counts as empty."""
    if not isinstance(patch, Mapping):
        return patch
    patched = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            patched.pop(name, None)
        else:
            patched[name] = apply(patched.get(name), value)
    return patched
