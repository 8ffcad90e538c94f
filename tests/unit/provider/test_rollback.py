"""The template that takes one function back and leaves the others alone."""

from __future__ import annotations

import json
from typing import Any

from sls_ml.intent.model import Place
from sls_ml.provider.aws import render, rollback


def rendered(make: Any, deployment: Any, **digests: str) -> dict[str, Any]:
    packages = {name: make.package(name, digest) for name, digest in digests.items()}
    template: dict[str, Any] = json.loads(render(deployment, packages).template)
    return template


def test_only_the_named_function_goes_back(make: Any) -> None:
    # GIVEN two releases of two functions
    deployment = make.deployment(make.function("one"), make.function("two"))
    past = rendered(make, deployment, one="aa", two="aa")
    current = rendered(make, deployment, one="bb", two="bb")
    # WHEN the first function goes back
    template = rollback.taken_back(current, past, "one")
    # THEN the template is that of the past for one, and of the present for the other
    assert template == rendered(make, deployment, one="aa", two="bb")


def test_going_back_to_the_present_changes_nothing(make: Any) -> None:
    # GIVEN a template
    current = rendered(make, make.deployment(make.function("one")), one="aa")
    # WHEN its function goes back to itself
    # THEN it is the same
    assert rollback.taken_back(current, current, "one") == current


def test_what_the_function_shared_comes_back(make: Any) -> None:
    # GIVEN a function that used the stack's own bucket, and now uses another
    own = make.scoring(Place(None, "in/"), Place(None, "out/"))
    other = make.scoring(Place("in-bucket", "in/"), Place("out-bucket", "out/"))
    past = rendered(make, make.deployment(make.function("score", batch=own)), score="aa")
    current = rendered(make, make.deployment(make.function("score", batch=other)), score="bb")
    # WHEN it goes back
    template = rollback.taken_back(current, past, "score")
    # THEN the bucket is in the template again
    assert template["Resources"] == past["Resources"]


def test_a_function_that_served_http_before_has_its_endpoint_again(make: Any) -> None:
    # GIVEN a function that was an endpoint, and now is a batch function
    own = make.scoring(Place("in-bucket", "in/"), Place("out-bucket", "out/"))
    past = rendered(make, make.deployment(make.function("score")), score="aa")
    current = rendered(make, make.deployment(make.function("score", batch=own)), score="bb")
    # WHEN it goes back
    template = rollback.taken_back(current, past, "score")
    # THEN its outputs are those of the past too
    assert template == past


def test_a_template_is_found_by_the_version_it_publishes(make: Any) -> None:
    # GIVEN a template
    template = rendered(make, make.deployment(make.function("one")), one="aa")
    (version,) = [name for name in template["Resources"] if name.startswith("OneVersion")]
    # WHEN it is asked for its own version and for another
    # THEN it holds the first
    assert rollback.holds(template, version)
    assert not rollback.holds(template, "OneVersion0000000000")
