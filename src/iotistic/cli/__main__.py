"""Entry point of `iotctl`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from iotistic.cli.app import iotctl
from iotistic.cli.failure import ExitCode, Failure, ReaderGone
from iotistic.cli.session import Session
from iotistic.model.errors import IotisticError


def main() -> None:
    """Run the command line of this process and leave with its exit code."""
    _open_closed_streams()
    sys.exit(run(sys.argv[1:]))


def _open_closed_streams() -> None:
    # Started with one of them closed (`>&-`), Python has None there. Their numbers are free, and
    # the next file opened would get what is meant for them.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))


def run(arguments: Sequence[str]) -> int:
    """Do what `arguments` say; the exit code. Nothing but the reader's signals escapes."""
    session = Session()
    if not all(_is_text(word) for word in arguments):
        sys.stderr.write("iotctl: an argument is not text in this locale's encoding\n")
        return ExitCode.USAGE
    try:
        code = _run(arguments, session)
        sys.stdout.flush()
    except (BrokenPipeError, ReaderGone):
        return _reader_gone()
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("\n")
        return ExitCode.INTERRUPTED
    except Exception as error:
        if os.environ.get("IOTCTL_DEBUG"):
            raise
        sys.stderr.write(
            f"iotctl: this should not have happened: {type(error).__name__}\n"
            "  next: run it again with IOTCTL_DEBUG=1 and report what it prints\n"
        )
        return ExitCode.FAILED
    return code


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:  # bytes that could not be decoded stand in it as surrogates
        return False
    return True


def _reader_gone() -> int:
    # Python would complain once more when it flushes at exit: give it nowhere to write to.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.BROKEN_PIPE


def _run(arguments: Sequence[str], session: Session) -> int:
    try:
        found = iotctl.main(list(arguments), prog_name="iotctl", standalone_mode=False, obj=session)
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(f"{error.format_message()}\n")
        return ExitCode.USAGE
    except click.UsageError as error:
        _show_usage(error)
        return ExitCode.USAGE
    except click.ClickException as error:
        sys.stderr.write(f"iotctl: {error.format_message()}\n")
        return ExitCode.FAILED
    except IotisticError as error:
        return _show(error, session)
    return found if isinstance(found, int) else ExitCode.OK


def _show(error: IotisticError, session: Session) -> int:
    from iotistic.cli.output import show_failure

    if os.environ.get("IOTCTL_DEBUG"):
        import traceback

        traceback.print_exception(error)
    failure = (
        error
        if isinstance(error, Failure)
        else Failure(error.message, ExitCode.USAGE, code=error.code, remedy=error.remedy)
    )
    # What was printed before belongs before the error, also where both go to one file.
    sys.stdout.flush()
    show_failure(failure, as_json=session.options.as_json)
    return failure.exit_code


def _show_usage(error: click.UsageError) -> None:
    sys.stderr.write(f"iotctl: {error.format_message()}\n")
    if error.ctx is not None:
        sys.stderr.write(f"  next: {error.ctx.command_path} --help\n")


if __name__ == "__main__":
    main()
