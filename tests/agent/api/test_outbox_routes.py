"""What waits to leave the device, over the API."""

from __future__ import annotations

from iotistic.model.records import RecordClass
from tests.agent.api.builders import Served

LOG = RecordClass.LOG


async def test_the_ledger_accounts_for_every_record(api: Served) -> None:
    outbox = api.box.outbox
    put = await outbox.put(LOG, {"message": "one"})
    await outbox.put(LOG, {"message": "two"})
    await outbox.acknowledge(LOG, {put.epoch: 1})

    classes = (await api.unix.ok("/v1/outbox"))["classes"]

    assert list(classes) == [str(kind) for kind in RecordClass]
    found = classes["log"]
    assert (found["written"], found["acknowledged"], found["waiting"]) == (2, 1, 1)
    assert found["dropped"] == {}
    assert found["oldestAt"] is not None


async def test_what_the_cloud_refused_is_shown_with_its_reason(api: Served) -> None:
    outbox = api.box.outbox
    refused = await outbox.put(LOG, {"message": "one"})
    await outbox.reject(refused, "invalid-field", "data.level: expected a level")

    (letter,) = (await api.unix.ok("/v1/outbox/dead"))["dead"]

    assert (letter["class"], letter["epoch"], letter["seq"]) == ("log", refused.epoch, 1)
    assert (letter["code"], letter["data"]) == ("invalid-field", {"message": "one"})


async def test_a_class_is_cleared_and_the_ledger_says_so(api: Served) -> None:
    outbox = api.box.outbox
    await outbox.put(LOG, {"message": "one"})
    await outbox.put(RecordClass.EVENT, {"event": "reboot"})

    status, found = await api.unix.call("DELETE", "/v1/outbox/log")

    assert (status, found) == (200, {"class": "log", "dropped": 1})
    classes = (await api.unix.ok("/v1/outbox"))["classes"]
    assert classes["log"]["dropped"] == {"cleared": 1}
    assert classes["event"]["waiting"] == 1


async def test_a_class_that_does_not_exist_is_named(api: Served) -> None:
    status, found = await api.unix.call("DELETE", "/v1/outbox/letters")

    assert (status, found["code"]) == (400, "invalid-field")
    assert "letters" in found["message"]
