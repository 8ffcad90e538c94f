"""Deployments made by hand, one for each shape that a template can take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sls_ml.intent import alarms, drift
from sls_ml.intent.model import (
    Batch,
    Deployment,
    Function,
    Grant,
    ListObjects,
    ModelRef,
    Place,
    ReadAlias,
    ReadModel,
    ReadObjects,
    ReadSecret,
    ReceiveMessages,
    SendMessages,
    WriteLogs,
    WriteObjects,
)
from sls_ml.package.model import Package
from sls_ml.spec.model import (
    Alarms,
    Aws,
    Canary,
    Concurrency,
    Domain,
    Follow,
    Http,
    Jwt,
    Period,
    Rollout,
    Schedule,
    Secret,
    Throttle,
    Tolerance,
    Traffic,
)

EXAMPLE = [{"age": 41, "city": "Bern"}, {"age": 27, "city": 'Zürich "Nord"'}]

ANSWERS = {"label": ["no", "yes"], "probability": [[0.75, 0.25], [0.125, 0.875]]}
LOOSE = Tolerance(probability=1e-3, value=1e-4)

REFERENCE = {
    "inputs": [
        {"name": "age", "dtype": "float64", "nullable": True, "categories": None},
        {"name": "city", "dtype": "string", "nullable": False, "categories": None},
    ],
    "drift": {
        "rows": 1000,
        "features": [
            {"edges": [30.0], "counts": [400, 590], "nulls": 10},
            {"top": ["Bern"], "counts": [1000], "rest": 0, "nulls": 0},
        ],
        "prediction": {"top": ["no", "yes"], "counts": [700, 300], "rest": 0, "nulls": 0},
    },
}


def model(
    name: str = "credit",
    *,
    size: int = 40_000,
    bundled: bool = True,
    example: Any = EXAMPLE,
    watched: bool = False,
    digest: str = "ab" * 32,
) -> ModelRef:
    return ModelRef(
        name=name,
        digest=digest,
        files={"model.onnx": size},
        engine="ort_capi",
        bundled=bundled,
        manifest={"example": example, **REFERENCE} if watched else {"example": example},
        watched=watched,
    )


def function(name: str = "predict", **changed: Any) -> Function:
    models = changed.pop("models", (model(),))
    batch: Batch | None = changed.pop("batch", None)
    environment: Mapping[str, str | Secret] = changed.pop("environment", {})
    grants: list[Grant] = [WriteLogs(), *(ReadModel(each.name) for each in models)]
    if batch:
        grants += [ReceiveMessages(), ReadObjects(batch.source), WriteObjects(batch.target), SendMessages()]
    if batch and batch.schedule:
        grants += [ListObjects(batch.source)]
    grants += [ReadSecret(value.secret) for value in environment.values() if isinstance(value, Secret)]
    if follow := changed.get("follow"):
        grants += [ReadAlias(each.name, follow.alias) for each in models]
    timeout = 300 if batch else 10
    limits = changed.get("concurrency", Concurrency())
    traffic: Traffic | None = changed.get("traffic")
    spec: Alarms = changed.pop("alarms", Alarms())
    watched = (
        alarms.batch_alarms(spec, timeout, traffic) if batch else alarms.http_alarms(spec, limits, traffic)
    )
    values: dict[str, Any] = {
        "http": None if batch else Http(),
        "memory": 512,
        "timeout": timeout,
        "python": "3.13",
        "architecture": "x86_64",
        "start": "plain",
        "concurrency": Concurrency(),
        "observability": "powertools" if batch else "native",
        "style": "function",
        "log_retention": 30,
        "alarms": (*watched, *([alarms.failed_follows()] if follow else [])),
        "charts": alarms.charts(batch, models),
        **changed,
    }
    return Function(
        name=name, models=models, batch=batch, environment=environment, grants=tuple(grants), **values
    )


def scoring(source: Place, target: Place) -> Batch:
    return Batch(source=source, target=target, format="csv", output="csv", join=(), max_rejected=0.05)


def deployment(*functions: Function, **changed: Any) -> Deployment:
    values: dict[str, Any] = {
        "project": "credit-risk",
        "stage": "dev",
        "provider": "aws",
        "region": "eu-west-1",
        "store": "auto",
        "vendor": True,
        "rollout": Rollout(),
        "drift": drift.watch(functions, changed.pop("threshold", 0.2)),
        **changed,
    }
    return Deployment(functions=functions, **values)


def package(name: str, digest: str = "5f") -> Package:
    return Package(
        function=name,
        kind="zip",
        path=Path("build") / f"{name}.zip",
        sha256=digest * 32,
        bytes=14_000_000,
        unpacked_bytes=40_000_000,
        python="3.13",
        architecture="x86_64",
        platform="x86_64-manylinux_2_34",
        glibc="2.27",
        bytecode="3.13.0",
        files=(),
        pruned=(),
        warnings=(),
    )


OWN = scoring(Place(None, "score/in/"), Place(None, "score/out/"))

CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab"
DOMAIN = Domain(name="risk.example.org", certificate=CERTIFICATE, zone="Z0123456789ABCDEFGHIJ")

DEPLOYMENTS: dict[str, Deployment] = {
    "alarms": deployment(
        function(alarms=Alarms(error_rate=0.005, p99=200), concurrency=Concurrency(reserved=20)),
        function("score", batch=OWN),
        notify=("ops@example.org", "night@example.org"),
    ),
    "busy": deployment(
        function(traffic=Traffic(requests=1_000_000, burst=5)),
        function("score", batch=OWN, traffic=Traffic(requests=300, silence=86_400)),
    ),
    "canary": deployment(
        function("predict", models=(replace(model(), answers=ANSWERS, tolerance=LOOSE),)),
        function("both", models=(model("credit"), model("churn"))),
        function("score", batch=OWN),
        rollout=Rollout(canary=Canary(percent=10, minutes=5)),
    ),
    "canary-own-steps": deployment(
        function(alarms=Alarms(p99=200), start="provisioned", concurrency=Concurrency(provisioned=1)),
        rollout=Rollout(canary=Canary(percent=20, minutes=7, check="start")),
    ),
    "careful-account": deployment(
        function(),
        function("score", models=(model(watched=True),), batch=OWN),
        aws=Aws.model_validate(
            {
                "vpc": {
                    "subnets": ["subnet-0a1b2c3d4e5f67890", "subnet-0b1b2c3d4e5f67890"],
                    "security_groups": ["sg-0a1b2c3d4e5f67890"],
                },
                "kms": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
                "permissions_boundary": "arn:aws:iam::123456789012:policy/boundary",
            }
        ),
    ),
    "careful-canary": deployment(
        function(
            "keyed",
            http=Http(
                auth="key",
                throttle=Throttle(rate=5, burst=9),
                domain=Domain(
                    name="keyed.example.org", certificate=CERTIFICATE.replace("1234abcd", "5678abcd")
                ),
            ),
            log_retention=90,
            environment={"OTHER": Secret(secret="other")},
        ),
        function(
            "bearer", http=Http(auth="jwt", jwt=Jwt(issuer="https://id.example.com", audience=("a", "b")))
        ),
        function("score", batch=OWN),
        region="us-east-1",
        stage="prod",
        rollout=Rollout(canary=Canary(percent=10, minutes=15)),
        aws=Aws.model_validate(
            {
                "vpc": {"subnets": ["subnet-0c1b2c3d4e5f67890"], "security_groups": ["sg-0c1b2c3d4e5f67890"]},
                "kms": "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
                "permissions_boundary": "arn:aws:iam::aws:policy/PowerUserAccess",
            }
        ),
    ),
    "follow": deployment(
        function(models=(model("credit", watched=True), model("churn")), follow=Follow(alias="champion")),
        function("score", batch=OWN, follow=Follow(alias="nightly", seconds=600)),
        rollout=Rollout(canary=Canary(percent=10, minutes=5)),
    ),
    "drift": deployment(
        function(
            "predict", models=(model("credit", watched=True), model("churn", watched=True, digest="cd" * 32))
        ),
        function("score", models=(model("credit", watched=True),), batch=OWN),
        function("quiet", models=(model("fraud"),)),
        notify=("ops@example.org",),
    ),
    "http": deployment(function()),
    "http-public": deployment(
        function(
            http=Http(auth="public", cors=("https://example.org",)), concurrency=Concurrency(reserved=5)
        ),
    ),
    "http-jwt": deployment(
        function(
            http=Http(
                auth="jwt",
                jwt=Jwt(issuer="https://login.example.org/", audience=("credit-risk",)),
                cors=("https://example.org",),
            )
        )
    ),
    "http-domain": deployment(
        function(http=Http(auth="public", domain=DOMAIN)),
        function("other", http=Http(domain=Domain(name="other.example.org", certificate=CERTIFICATE))),
    ),
    "http-key": deployment(function(http=Http(auth="key", throttle=Throttle(rate=50, burst=100)))),
    "http-throttled": deployment(function(http=Http(throttle=Throttle(rate=10, burst=20)))),
    "http-arm64-fetched": deployment(
        function(
            models=(model(size=900 << 20, bundled=False),),
            architecture="arm64",
            memory=3008,
            start="provisioned",
            concurrency=Concurrency(provisioned=2),
        ),
        store="s3://models/production",
    ),
    "http-scaled": deployment(
        function(start="provisioned", concurrency=Concurrency(provisioned=2, reserved=20, target=0.6))
    ),
    "http-scheduled": deployment(
        function(
            start="provisioned",
            concurrency=Concurrency(
                reserved=20,
                schedule=(
                    Period(at="cron(0 7 ? * MON-FRI *)", provisioned=5, timezone="Europe/Zurich"),
                    Period(at="cron(0 19 ? * MON-FRI *)", provisioned=0, timezone="Europe/Zurich"),
                    Period(at="at(2027-01-31T07:00:00)", provisioned=2, max=2),
                ),
            ),
        )
    ),
    "http-snapstart": deployment(function(start="snapstart", python="3.12")),
    "batch": deployment(function("score", batch=OWN)),
    "batch-existing-buckets": deployment(
        function("score", batch=scoring(Place("in-bucket", "incoming/"), Place("out-bucket", "scored/")))
    ),
    "batch-scheduled": deployment(
        function("score", batch=replace(OWN, schedule=Schedule(at="rate(6 hours)"))),
        function(
            "nightly",
            batch=replace(
                scoring(Place("in-bucket", ""), Place("out-bucket", "scored/")),
                schedule=Schedule(at="cron(30 2 * * ? *)", timezone="Europe/Zurich"),
            ),
        ),
    ),
    "batch-whole-bucket": deployment(
        function("score", batch=scoring(Place("in-bucket", ""), Place(None, "score/out/")))
    ),
    "several": deployment(
        function("predict", models=(model("credit"), model("churn"))),
        function("a-1", models=(model("churn"),), http=Http(auth="public")),
        function("a1", models=(model("churn"),)),
        function("score", batch=OWN),
    ),
    "long-names": deployment(
        function(f"predict-{'p' * 24}", models=(model("m" * 32, watched=True),)),
        function(f"score-{'s' * 26}", batch=OWN),
        threshold=0.25,
        project=f"credit-{'r' * 25}",
        stage=f"feature-{'x' * 40}",
    ),
    "environment": deployment(
        function(
            environment={
                "LEVEL": "debug",
                "TEMPLATE": "${not a hole}",
                "TOKEN": Secret(secret="credit/token"),
                "TOKEN_AGAIN": Secret(secret="credit/token"),
            }
        )
    ),
}


@pytest.fixture(params=sorted(DEPLOYMENTS))
def case(request: pytest.FixtureRequest) -> tuple[str, Deployment, dict[str, Package]]:
    """Each deployment in turn: its name, itself, its packages."""
    name: str = request.param
    found = DEPLOYMENTS[name]
    return name, found, {each.name: package(each.name) for each in found.functions}


@pytest.fixture
def make() -> Any:
    """The makers of this module, for a test that needs a deployment of its own."""

    class Makers:
        deployments = DEPLOYMENTS
        deployment = staticmethod(deployment)
        function = staticmethod(function)
        model = staticmethod(model)
        package = staticmethod(package)
        scoring = staticmethod(scoring)

    return Makers
