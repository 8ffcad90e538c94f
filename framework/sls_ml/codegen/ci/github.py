"""The workflow for GitHub Actions."""

from __future__ import annotations

import json
from importlib.resources import files
from string import Template

import sls_ml
from sls_ml.codegen.ci.work import Work

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


def written(work: Work) -> str:
    """A workflow of GitHub Actions."""
    plans, deploys = [], []
    for position, each in enumerate(work.stages):
        plans.append(f'          - {{stage: {each.stage}, region: {each.region}, role: "{each.plan_role}"}}')
        needs = f"    needs: deploy-{work.stages[position - 1].stage}\n" if position else ""
        deploys.append(
            Template(_DEPLOY).substitute(
                name=work.name,
                stage=each.stage,
                needs=needs,
                region=each.region,
                role=each.deploy_role,
                setup=_SETUP,
                credentials=_CREDENTIALS,
                folder=work.folder,
            )
        )
    text = (files("sls_ml.codegen.ci") / "github.yml").read_text("utf-8")
    return Template(text).substitute(
        name=work.name,
        folder=work.folder,
        branch=work.branch,
        paths=json.dumps(list(work.watched)),
        plans="\n".join(plans),
        setup=_SETUP.rstrip("\n"),
        credentials=_CREDENTIALS,
        deploys="".join(deploys).rstrip("\n"),
    )
