"""Every error that sls-ml raises on purpose, each with its exit code.

    SlsMlError
    +-- UsageError          2  the command was called in a way that makes no sense
    +-- SpecError           3  sls-ml.yaml says something that is not allowed
    +-- UnsupportedError    4  the provider (or this version) cannot do what was asked
    +-- StaleError          5  checked-in code, artifact or stack differs from its source
    +-- ApplyError          6  the provider refused or failed a deployment
    +-- ParityError         7  the converted model does not predict as the original
    +-- ExternalError       8  credentials, network, disk, a missing bucket
    +-- ModelError          9  the model file or the sample is not usable
    |   +-- ArtifactError   9  an artifact is corrupt, incomplete or of an unknown format
    +-- BudgetError        10  a measurement exceeds the budget that was set for it

Catch ``SlsMlError`` to handle all of them. Anything else that escapes is a bug in sls-ml (exit code 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class SlsMlError(Exception):
    """The base of all errors of sls-ml.

    Args:
        what: One sentence that says what is wrong.
        code: A stable kebab-case word for this very problem, documented in docs/troubleshooting.md.
        where: The file, line, key, step or resource concerned.
        why: The cause, where it is not plain from `what`.
        mend: What the user can do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        what: str,
        *,
        code: str,
        where: str | None = None,
        why: str | None = None,
        mend: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.code = code
        self.where = where
        self.why = why
        self.mend = mend

    def __str__(self) -> str:
        lines = [self.what]
        for label, text in (("where", self.where), ("why", self.why), ("mend", self.mend)):
            if text:
                lines.append(f"  {label}: {text}")
        return "\n".join(lines)


class UsageError(SlsMlError):
    """The command was called in a way that makes no sense."""

    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a spec file.

    Attributes:
        key: The dotted path of the key, such as ``functions.predict.memory``.
        line: Line in the file, from 1, or None where the key is absent.
        what: What is wrong.
        mend: What is allowed, or the key that was probably meant.
    """

    key: str
    line: int | None
    what: str
    mend: str | None = None


class SpecError(SlsMlError):
    """The spec is not valid; carries all problems found, not only the first."""

    exit_code = 3

    def __init__(
        self,
        what: str,
        *,
        code: str,
        where: str | None = None,
        why: str | None = None,
        mend: str | None = None,
        problems: tuple[Problem, ...] = (),
    ) -> None:
        super().__init__(what, code=code, where=where, why=why, mend=mend)
        self.problems = problems

    def __str__(self) -> str:
        lines = [super().__str__()]
        for problem in self.problems:
            at = f"line {problem.line}" if problem.line else "missing"
            lines.append(f"  {problem.key} ({at}): {problem.what}")
            if problem.mend:
                lines.append(f"    {problem.mend}")
        return "\n".join(lines)


class UnsupportedError(SlsMlError):
    """The provider, the target platform or this version of sls-ml cannot do what was asked."""

    exit_code = 4


class StaleError(SlsMlError):
    """Checked-in code, an artifact or a stack is not what its source says it should be."""

    exit_code = 5


class ApplyError(SlsMlError):
    """The provider refused a deployment, or it failed and was rolled back."""

    exit_code = 6


class ParityError(SlsMlError):
    """The converted model does not predict what the original predicts."""

    exit_code = 7


class ExternalError(SlsMlError):
    """Something outside the project is missing or refuses: credentials, network, disk, a bucket."""

    exit_code = 8


class ModelError(SlsMlError):
    """The model file or the sample cannot be used as it is."""

    exit_code = 9


class ArtifactError(ModelError):
    """An artifact is corrupt, incomplete, or in a format that this version does not read."""


class BudgetError(SlsMlError):
    """A measurement exceeds the budget that was set for it."""

    exit_code = 10
