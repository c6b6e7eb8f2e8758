"""From a container's line to one of the wire."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.agent.container_logs.lines import clean, container_line, dropped_line, level_of
from iotistic.agent.logs import LogLevel
from iotistic.engines.protocol import ContainerLogLine
from iotistic.model.observation import Container
from iotistic.model.records import RECORD_BYTES_MAX
from iotistic.model.words import ContainerState

WEB = Container(
    id="c" * 64,
    name="web",
    app_id=1001,
    service_id="1",
    service_name="web",
    state=ContainerState.RUNNING,
    image="web:1",
    image_id="sha256:1",
)


def test_a_line_has_the_form_of_the_wire() -> None:
    line = ContainerLogLine(text="served", stderr=True, time_ns=1_700_000_000_123_456_789)

    assert container_line(WEB, line, "served", LogLevel.INFO) == {
        "message": "served",
        "timestamp": 1_700_000_000_123,
        "level": "info",
        "source": {"type": "container", "name": "web"},
        "serviceId": "1",
        "serviceName": "web",
        "containerId": "c" * 64,
        "isSystem": False,
        "isStdErr": True,
    }


def test_a_line_too_long_is_cut_and_says_so() -> None:
    line = ContainerLogLine(text="", stderr=False, time_ns=1)

    found = container_line(WEB, line, "\x01" * 65_536, LogLevel.INFO)

    assert found["truncated"] is True
    assert len(json.dumps(found)) < RECORD_BYTES_MAX - 500


def test_lines_that_were_dropped_are_told_with_their_number() -> None:
    found = dropped_line(WEB, 17, 5)

    assert (found["message"], found["level"]) == ("17 lines dropped", "warn")
    assert found["context"] == {"dropped": 17, "reason": "rate"}
    assert found["serviceName"] == "web"
    assert dropped_line(WEB, 1, 5)["message"] == "1 line dropped"


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("all is well", "info"),
        ("2024-05-01 12:00:00 ERROR cannot open", "error"),
        ("[ERROR] cannot open", "error"),
        ("ERROR: cannot open", "error"),
        ("E1101 cannot", "info"),
        ("2024/05/01 12:00:00 [warn] 7#7: slow", "warn"),
        ("2024-05-01T12:00:00 WARNING slow", "warn"),
        ("level=warn msg=slow", "warn"),
        ('time="now" level=error msg="x"', "error"),
        ('{"level":"warn","msg":"slow"}', "warn"),
        ('{"msg":"x","severity":"CRITICAL"}', "error"),
        ('{"level":50,"msg":"pino"}', "error"),
        ('{"level":"trace"}', "debug"),
        ("DEBUG looking", "debug"),
        ("error: no such file", "error"),
        ("12:00 warning: slow", "warn"),
        ("panic: runtime error", "error"),
        ("no error so far", "info"),
        ("ERRORS=0", "info"),
        ("INFO an ERROR was mended", "info"),
        ('{"level":"unheard-of"} INFO', "info"),
        ("", "info"),
    ],
)
def test_a_level_is_what_the_line_says(text: str, level: str) -> None:
    assert level_of(text) == level


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä 漢", "plain ä 漢"),
        ("\x1b[1;31mred\x1b[0m text", "red text"),
        ("\x1b]0;title\x07text", "text"),
        ("10%\r20%", "10% 20%"),
        ("tab\tstays", "tab\tstays"),
        ("\x00\x01binary\x7f", "\ufffd\ufffdbinary\ufffd"),
        ("\x1b[2Jcut \x1b[", "cut "),
    ],
)
def test_a_line_is_text_and_moves_no_cursor(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(st.text())
def test_nothing_that_moves_a_cursor_is_left_and_cleaning_twice_changes_nothing(text: str) -> None:
    shown = clean(text)

    assert not any(ord(char) < 32 and char != "\t" for char in shown)
    assert clean(shown) == shown


@pytest.mark.parametrize(
    "text", ["\x1b]" * 32_000, "level" * 13_000, "[" * 65_000, " \x1b[" * 20_000]
)
def test_a_line_made_to_be_slow_is_not(text: str) -> None:
    began_s = time.thread_time()
    level_of(clean(text))

    assert time.thread_time() - began_s < 0.1
