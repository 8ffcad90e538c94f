"""A month of an endpoint, which bills and advice are made of."""

from __future__ import annotations

import pytest

from sls_ml.measure.cost import Usage


@pytest.fixture
def usage() -> Usage:
    """A million requests to a small function URL, one in a hundred of them a start."""
    return Usage(
        requests=1_000_000,
        burst=1,
        milliseconds=1.2,
        init_milliseconds=150.4,
        cold_share=0.01,
        memory=512,
        architecture="x86_64",
        start="plain",
        provisioned=0,
        endpoint="url",
        keyed=False,
        log_bytes=800,
        response_bytes=300,
        metrics=7,
        alarms=4,
        dashboards=0.5,
        secrets=0,
        fetches=0,
        log_days=30,
    )
