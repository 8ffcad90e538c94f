"""The pipeline for GitLab CI: jobs with names of their own, so that any pipeline may include it."""

from __future__ import annotations

import json
from importlib.resources import files
from string import Template

import sls_ml
from sls_ml.codegen.ci.work import Work

_JOBS = """
$name plan $stage:
  extends: .$name-plan
  variables:
    AWS_DEFAULT_REGION: $region
    AWS_ROLE_ARN: $plan_role
    SLS_ML_STAGE: $stage
  artifacts:
    when: always
    expose_as: $name plan $stage
    paths: [plan-$stage.txt]
    expire_in: 30 days

$name deploy $stage:
  extends: .$name-deploy
$needs  environment: $stage
  resource_group: $name-$stage
  variables:
    AWS_DEFAULT_REGION: $region
    AWS_ROLE_ARN: $deploy_role
    SLS_ML_STAGE: $stage
"""


def written(work: Work) -> str:
    """A pipeline of GitLab CI."""
    jobs, needs = [], ""
    for each in work.stages:
        jobs.append(
            Template(_JOBS).substitute(
                name=work.name,
                stage=each.stage,
                region=each.region,
                plan_role=each.plan_role,
                deploy_role=each.deploy_role,
                needs=needs,
            )
        )
        needs = f"  needs: [{work.name} deploy {each.stage}]\n"
    text = (files("sls_ml.codegen.ci") / "gitlab.yml").read_text("utf-8")
    return Template(text).substitute(
        name=work.name,
        branch=work.branch,
        folder=work.folder,
        version=sls_ml.__version__,
        paths=json.dumps([_pattern(path) for path in work.watched]),
        jobs="".join(jobs).rstrip("\n"),
    )


def _pattern(path: str) -> str:
    """A watched path as GitLab reads it, for which ``**`` at the end is ``*``."""
    return f"{path}/*" if path.endswith("**") else path
