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
        if code == INTERRUPTED:
            sys.stderr.write("stopped; run the same command again to go on\n")
        return code
    except SlsMlError as error:
        print_error(error, as_json=as_json)
        return error.exit_code
    except OSError as error:
        told = _outside(error)
        if told is None:
            _report_bug()
            return BUG
        print_error(told, as_json=as_json)
        return told.exit_code
    except Exception:  # noqa: BLE001 - the outermost frame: whatever escapes is a bug and is reported as one
        _report_bug()
        return BUG
    return 0


_OUTSIDE = {
    errno.ENOSPC: ("disk-full", "the disk is full", "make room, then run the same command again"),
    errno.EDQUOT: ("disk-full", "the disk quota is used up", "make room, then run the same command again"),
    errno.EFBIG: ("disk-full", "a file may not grow as large as needed", "raise the limit: `ulimit -f`"),
    errno.EROFS: ("not-writable", "the file system is read-only", "work in a folder that can be written"),
    errno.EACCES: ("not-writable", "a file may not be opened", "check its permissions and owner"),
    errno.EPERM: ("not-writable", "a file may not be changed", "check its permissions and owner"),
}


def _outside(error: OSError) -> ExternalError | None:
    """What the machine refuses, in words; None for what sls-ml should have foreseen."""
    if error.errno not in _OUTSIDE:
        return None
    code, what, mend = _OUTSIDE[error.errno]
    where = str(error.filename) if error.filename else None
    return ExternalError(what, code=code, where=where, why=error.strerror, mend=mend)


def _report_bug() -> None:
    import traceback

    traceback.print_exc()
    sys.stderr.write(
        f"\nThis is a bug in sls-ml {__version__} (Python {sys.version.split()[0]}). Please report it with "
        "the lines above and the command you ran.\n"
    )
