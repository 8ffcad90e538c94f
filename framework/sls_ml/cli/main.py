"""The entry point: runs a command and turns every outcome into a message and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from sls_ml import __version__
from sls_ml.cli.console import print_error
from sls_ml.errors import SlsMlError

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
    except Exception:  # noqa: BLE001 - the outermost frame: whatever escapes is a bug and is reported as one
        _report_bug()
        return BUG
    return 0


def _report_bug() -> None:
    import traceback

    traceback.print_exc()
    sys.stderr.write(
        f"\nThis is a bug in sls-ml {__version__} (Python {sys.version.split()[0]}). Please report it with "
        "the lines above and the command you ran.\n"
    )
