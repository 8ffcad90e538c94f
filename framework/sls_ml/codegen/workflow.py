"""Fills the workflow of a CI system: plans for pull requests, deploys from one branch, stage after stage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template

import sls_ml

_CHECKOUT = "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0"
_PYTHON = "actions/setup-python@e797f83bcb11b83ae66e0230d6156d7c80228e7c # v6.0.0"
_CREDENTIALS = "aws-actions/configure-aws-credentials@a03048d87541d1d9fcf2ecf528a4a65ba9bd7838 # v5.0.0"
"""Actions by commit: a tag can be moved, a commit cannot."""

_SETUP = f"""\
      - uses: {_CHECKOUT}
        with:
          persist-credentials: false
      - uses: {_PYTHON}
        with:
          python-version: "3.13"
      - run: python -m pip install 'sls-ml[aws]=={sls_ml.__version__}'
"""

_DEPLOY = """
  deploy-$stage:
    name: deploy $stage
    if: github.event_name == 'push'
$needs    runs-on: ubuntu-24.04
    timeout-minutes: 90
    environment: $stage
    concurrency: $name-deploy-$stage
    permissions:
      contents: read
      id-token: write # what AWS gives the role for
    steps:
$setup      - uses: $credentials
        with:
          aws-region: $region
          role-to-assume: $role
      - run: sls-ml deploy --frozen --yes --stage $stage --project '$folder'
"""


@dataclass(frozen=True)
class StageRoles:
    """A stage with its region and the ARNs of the roles that plan and deploy it."""

    stage: str
    region: str
    plan_role: str
    deploy_role: str


def github(name: str, folder: str, branch: str, watched: Sequence[str], stages: Sequence[StageRoles]) -> str:
    """A workflow of GitHub Actions.

    Args:
        name: Its name.
        folder: The folder of sls-ml.yaml, relative to the repository's top.
        branch: The branch that is deployed.
        watched: The paths whose changes matter.
        stages: What is deployed, in this order: each after the one before went well.
    """
    plans, deploys = [], []
    for position, each in enumerate(stages):
        plans.append(f'          - {{stage: {each.stage}, region: {each.region}, role: "{each.plan_role}"}}')
        needs = f"    needs: deploy-{stages[position - 1].stage}\n" if position else ""
        deploys.append(
            Template(_DEPLOY).substitute(
                name=name,
                stage=each.stage,
                needs=needs,
                region=each.region,
                role=each.deploy_role,
                setup=_SETUP,
                credentials=_CREDENTIALS,
                folder=folder,
            )
        )
    text = (files("sls_ml.codegen") / "github.yml").read_text("utf-8")
    return Template(text).substitute(
        name=name,
        folder=folder,
        branch=branch,
        paths=json.dumps(list(watched)),
        plans="\n".join(plans),
        setup=_SETUP.rstrip("\n"),
        credentials=_CREDENTIALS,
        deploys="".join(deploys).rstrip("\n"),
    )
