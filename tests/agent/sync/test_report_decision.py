"""Which report is due, if any: the pure part of the reporter."""

from __future__ import annotations

from typing import Any

import pytest

from iotistic.agent.sync.reporter import ReportKind, decide
from iotistic.model.words import Dialect

OLD: dict[str, Any] = {"version": 1, "apps": {"1": {}}}
NEW: dict[str, Any] = {"version": 2, "apps": {"1": {}}}


@pytest.mark.parametrize(
    ("accepted", "document", "due", "dialect", "kind", "content"),
    [
        pytest.param(None, NEW, "", "v2", "whole", NEW, id="nothing accepted: whole"),
        pytest.param(NEW, NEW, "", "v2", None, None, id="no difference: nothing"),
        pytest.param(OLD, NEW, "", "v2", "patch", {"version": 2}, id="a difference: patch"),
        pytest.param(NEW, NEW, "alive", "v2", "sign-of-life", {"version": 2}, id="a sign"),
        pytest.param(OLD, NEW, "alive", "v2", "patch", {"version": 2}, id="a patch is one too"),
        pytest.param(OLD, NEW, "whole", "v2", "whole", NEW, id="once a day: whole"),
        pytest.param(NEW, NEW, "", "o1", None, None, id="o1, no difference: nothing"),
        pytest.param(OLD, NEW, "", "o1", "whole", NEW, id="o1, a difference: whole"),
        pytest.param(NEW, NEW, "alive", "o1", "whole", NEW, id="o1, a sign of life: whole"),
    ],
)
def test_what_is_sent(
    accepted: dict[str, Any] | None,
    document: dict[str, Any],
    due: str,
    dialect: str,
    kind: str | None,
    content: dict[str, Any] | None,
) -> None:
    outgoing = decide(
        document,
        accepted,
        dialect=Dialect(dialect),
        whole_due=due == "whole",
        alive_due=due == "alive",
    )

    if kind is None:
        assert outgoing is None
        return
    assert outgoing is not None
    assert (outgoing.kind, outgoing.content) == (ReportKind(kind), content)
    assert (outgoing.base is None) == (kind == "whole")
