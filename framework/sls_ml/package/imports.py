"""Which modules the user's own code imports, and which of them nothing brings into the function."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

LAMBDA_BRINGS = frozenset(
    {
        *("awslambdaric", "boto3", "botocore", "dateutil", "jmespath", "s3transfer", "simplejson", "six"),
        *("snapshot_restore_py", "urllib3"),
    }
)
"""What a Python runtime of Lambda holds beside the standard library. Read on 2026-11-24 at
https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html, and in its base image."""


def imported(source: bytes) -> tuple[str, ...]:
    """The modules that a file imports as it is loaded, by their first names, sorted.

    An import within ``try`` may fail as its author meant it to, and one in a function may never run: both
    are left out, as is everything in a file that is no Python.
    """
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        return ()
    return tuple(sorted({name for statement in body for name in _names(statement)}))


def missing(source: bytes, paths: Iterable[str]) -> tuple[str, ...]:
    """The imported modules that are neither in a package of these paths nor in Lambda's own runtime."""
    there = {PurePosixPath(path).parts[0].partition(".")[0] for path in paths}
    known = there | sys.stdlib_module_names | LAMBDA_BRINGS
    return tuple(name for name in imported(source) if name not in known)


def _names(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.Import(names):
            yield from (alias.name.partition(".")[0] for alias in names)
        case ast.ImportFrom(module=str(module), level=0):
            yield module.partition(".")[0]
        case _:
            return
