"""Whose CI jobs may deploy: what `bootstrap --ci` names, as the tokens of GitHub and GitLab say it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sls_ml.errors import UsageError
from sls_ml.provider.aws import names


@dataclass(frozen=True)
class Issuer:
    """Who signs the tokens of jobs.

    Attributes:
        name: What people call it.
        host: Its host, by which the account knows it.
        stack: The stack with it as an identity provider: an account has one, whatever the region.
    """

    name: str
    host: str
    stack: str


@dataclass(frozen=True)
class Pipeline:
    """Whose jobs may deploy.

    Attributes:
        issuer: Who signs their tokens.
        repository: ``org/repo``.
        deploys: The subject of the tokens of jobs that deploy.
        plans: That of jobs that plan; may end with ``*``.
    """

    issuer: Issuer
    repository: str
    deploys: str
    plans: str


GITHUB = Issuer("GitHub Actions", "token.actions.githubusercontent.com", names.ISSUER_STACKS["github"])
GITLAB = Issuer("GitLab", "gitlab.com", names.ISSUER_STACKS["gitlab"])

_GITHUB = re.compile(
    r"github:(?P<repository>[A-Za-z0-9-]+/[A-Za-z0-9._-]+)"
    r"(?:@(?:environment:(?P<environment>[A-Za-z0-9._ -]+)|(?P<branch>[A-Za-z0-9._/-]+)))?"
)
_GITLAB = re.compile(
    r"gitlab:(?:https://(?P<host>[a-z0-9.-]+)/)?"
    r"(?P<repository>[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+)(?:@(?P<branch>[A-Za-z0-9._/-]+))?"
)


def pipeline(asked: str, stage: str) -> Pipeline:
    """Read what is asked for: ``github:org/repo`` or ``gitlab:group/project``, and where in it.

    Raises:
        UsageError: It names no repository.
    """
    for pattern, read in _SYSTEMS:
        if match := pattern.fullmatch(asked):
            return read(match, stage)
    raise UsageError(
        f"{asked} names no repository",
        code="ci-unknown",
        mend="say github:org/repo, github:org/repo@branch or github:org/repo@environment:name; or "
        "gitlab:group/project@branch, gitlab:https://gitlab.example.org/group/project@branch",
    )


def _github(match: re.Match[str], stage: str) -> Pipeline:
    """The stage's environment, unless another or a branch is named.

    https://docs.github.com/en/actions/reference/security/oidc
    """
    repository, branch = match["repository"], match["branch"]
    place = f"ref:refs/heads/{branch}" if branch else f"environment:{match['environment'] or stage}"
    begin = f"repo:{repository}:"
    return Pipeline(GITHUB, repository, begin + place, f"{begin}pull_request")


def _gitlab(match: re.Match[str], _stage: str) -> Pipeline:
    """The branch main, unless another is named; subjects name no environment.

    https://docs.gitlab.com/ci/secrets/id_token_authentication
    """
    host, repository = match["host"] or GITLAB.host, match["repository"]
    issuer = GITLAB
    if host != GITLAB.host:
        issuer = Issuer("GitLab", host, names.own_issuer_stack("gitlab", host))
    begin = f"project_path:{repository}:ref_type:branch:ref:"
    return Pipeline(issuer, repository, begin + (match["branch"] or "main"), f"{begin}*")


_SYSTEMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], str], Pipeline]], ...] = (
    (_GITHUB, _github),
    (_GITLAB, _gitlab),
)
