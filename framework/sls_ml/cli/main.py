"""The entry point: runs a command and turns every outcome into a message and an exit code."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Sequence

import typer

from sls_ml import __version__
from sls_ml.cli.console import print_error
from sls_ml.errors import ExternalError, SlsMlError

BUG = 1
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run sls-ml and exit. Exit codes are listed in docs/cli.md."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(run(words))


def run(words: list[str]) -> int:
    """Run one command line and return its exit code."""
    from sls_ml.cli.commands import app

    as_json = "--json" in words
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ✓ gets a question mark, not a crash
    try:
        typer.main.get_command(app).main(words, prog_name="sls-ml")
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else int(done.code is not None)
        if code == INTERRUPTED and not {"--follow", "-f"} & set(words):
            sys.stderr.write("stopped; run the same command again to go on\n")
        return code
    except SlsMlError as error:
        told = _no_room(error.__cause__) or error
        print_error(told, as_json=as_json)
        return told.exit_code
    except OSError as error:
        refused = _outside(error)
        if refused is None:
            _report_bug()
            return BUG
        print_error(refused, as_json=as_json)
        return refused.exit_code
    except Exception:  # noqa: BLE001 - the outermost frame: whatever escapes is a bug and is reported as one
        _report_bug()
        return BUG
    return 0


def _no_room(cause: BaseException | None) -> SlsMlError | None:
    """A full disk is said to be one, whatever was being done when it was met."""
    told = _outside(cause) if isinstance(cause, OSError) else None
    return told if told and told.code in {"disk-full", "file-limit"} else None


def _outside(error: OSError) -> ExternalError | None:
    """What the machine refuses, in words; None for what sls-ml should have foreseen."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            what, code = "the disk is full", "disk-full"
            mend = "make room, then run the same command again"
        case errno.EFBIG:
            what, code = "a file may not grow as large as it must", "file-limit"
            mend = "raise the limit (`ulimit -f`), then run the same command again"
        case errno.EROFS | errno.EACCES | errno.EPERM:
            what, code = "a file or folder may not be written or read", "not-permitted"
            mend = "check its owner and permissions"
        case _:
            return None
    where = str(error.filename) if error.filename else None
    return ExternalError(what, code=code, where=where, why=error.strerror, mend=mend)


def _report_bug() -> None:
    import traceback

    traceback.print_exc()
    sys.stderr.write(
        f"\nThis is a bug in sls-ml {__version__} (Python {sys.version.split()[0]}). Please report it with "
        "the lines above and the command you ran.\n"
    )
