"""The log kept in files on the device."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest

from iotistic.agent.logs import LogBook
from iotistic.agent.logs.file import FILE_NAME, FILES_MAX, LogFile, LogFiles
from iotistic.model.secret import Secret
from tests.agent.virtual_clock import VirtualClock


def files(folder: Path, *, bytes_max: int = 1000, age_max_s: float = 3600.0) -> LogFiles:
    return LogFiles(folder=folder, bytes_max=bytes_max, age_max_s=age_max_s)


def test_files_are_bounded_in_size_and_number_and_the_newest_lines_are_kept(
    tmp_path: Path,
) -> None:
    log = LogFile(files(tmp_path / "logs"))

    for number in range(1000):
        log.write(f"line {number:04d}\n")
    log.close()

    found = sorted((tmp_path / "logs").iterdir())
    assert len(found) == FILES_MAX
    assert all(path.stat().st_size <= 1000 for path in found)
    assert (tmp_path / "logs" / FILE_NAME).read_text().splitlines()[-1] == "line 0999"
    in_order = [path.read_text() for path in [*reversed(found[1:]), found[0]]]
    numbers = [int(line[5:]) for line in "".join(in_order).splitlines()]
    assert numbers == list(range(numbers[0], 1000))


def test_only_the_owner_reads_them_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        log = LogFile(files(tmp_path / "logs"))
        log.write("line\n")
        log.close()
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "logs" / FILE_NAME).stat().st_mode) == 0o600


def test_older_files_than_wanted_are_removed(tmp_path: Path) -> None:
    (tmp_path / f"{FILE_NAME}.1").write_text("yesterday\n")
    os.utime(tmp_path / f"{FILE_NAME}.1", (1.0, 1.0))

    log = LogFile(files(tmp_path))
    log.write("today\n")
    log.close()

    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("untouched")
    (tmp_path / FILE_NAME).symlink_to(elsewhere)

    with pytest.raises(OSError, match="symbolic"):
        LogFile(files(tmp_path)).write("line\n")

    assert elsewhere.read_text() == "untouched"


def test_a_book_writes_to_files_while_it_is_told_to_and_without_secrets(tmp_path: Path) -> None:
    book = LogBook(VirtualClock(), output=io.StringIO())
    book.learn(Secret("s3cr3t-key-0123"))

    with book:
        book.logger().info("with s3cr3t-key-0123")
        book.keep_files(files(tmp_path))
        book.logger().info("kept s3cr3t-key-0123")

    text = (tmp_path / FILE_NAME).read_text()
    assert "kept ***" in text
    assert "s3cr3t" not in text


def test_a_folder_that_cannot_be_written_to_harms_nobody_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    output = io.StringIO()
    book = LogBook(VirtualClock(), output=output)
    book.keep_files(files(tmp_path / "file" / "logs"))

    with book:
        book.logger().info("said")

    assert "said" in output.getvalue()
    assert isinstance(book.file_error, NotADirectoryError)
