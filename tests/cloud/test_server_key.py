"""The one secret file, and what is made of it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotistic.cloud.durable_file import read_private, write_private
from iotistic.cloud.server_key import FILE_NAME, ServerKey, load_server_key
from iotistic.model.errors import Refused

KEY = ServerKey(b"k" * 32)
OTHER = ServerKey(b"o" * 32)


@given(st.binary(max_size=500), st.text(max_size=20))
def test_what_is_sealed_comes_back(plain: bytes, context: str) -> None:
    assert KEY.open(KEY.seal(plain, context=context), context=context) == plain


@given(st.integers(0, 60), st.integers(1, 255))
def test_one_changed_byte_opens_nothing(at: int, change: int) -> None:
    sealed = bytearray(KEY.seal(b"x" * 40, context="c"))
    sealed[at] ^= change

    with pytest.raises(Refused):
        KEY.open(bytes(sealed), context="c")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" + b"x" * 12, b"\x02" + b"x" * 60])
def test_what_was_never_sealed_does_not_open(sealed: bytes) -> None:
    with pytest.raises(Refused):
        KEY.open(sealed, context="c")


def test_another_key_or_context_opens_nothing() -> None:
    sealed = KEY.seal(b"x", context="target:1")

    for key, context in ((OTHER, "target:1"), (KEY, "target:2")):
        with pytest.raises(Refused) as refused:
            key.open(sealed, context=context)
        assert refused.value.code == "cannot-unseal"


def test_lookups_depend_on_the_key() -> None:
    assert KEY.lookup("a") == ServerKey(b"k" * 32).lookup("a")
    assert len({KEY.lookup("a"), KEY.lookup("b"), OTHER.lookup("a"), KEY.fingerprint}) == 4


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    found: list[str] = []
    together = threading.Barrier(8)

    def start() -> None:
        together.wait()
        found.append(load_server_key(tmp_path).fingerprint)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("content", ["", "zz", "ab" * 31, "ab" * 33])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, content: str) -> None:
    write_private(tmp_path / FILE_NAME, content.encode())

    with pytest.raises(Refused) as refused:
        load_server_key(tmp_path)
    assert refused.value.code == "server-key"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
def test_a_file_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    write_private(path, b"x")
    assert read_private(path) == b"x"
    path.chmod(mode)

    with pytest.raises(Refused):
        read_private(path)


def test_a_file_is_replaced_as_a_whole_or_left(tmp_path: Path) -> None:
    path = tmp_path / "file"

    assert write_private(path, b"one")
    assert not write_private(path, b"two", replace=False)
    assert read_private(path) == b"one"
    assert write_private(path, b"three")
    assert read_private(path) == b"three"
    assert list(tmp_path.iterdir()) == [path]
