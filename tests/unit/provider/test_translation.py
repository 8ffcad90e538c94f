"""Errors of AWS's SDK become errors of sls-ml that say what to do."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ProfileNotFound,
    TokenRetrievalError,
)

from sls_ml.errors import ApplyError, ExternalError, SlsMlError
from sls_ml.provider.aws.client import MissingError, translated


def refusal(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "CreateChangeSet")


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (NoCredentialsError(), ExternalError, "no-credentials"),
        (NoRegionError(), ExternalError, "no-region"),
        (ProfileNotFound(profile="work"), ExternalError, "no-profile"),
        (TokenRetrievalError(provider="sso", error_msg="expired"), ExternalError, "expired-credentials"),
        (EndpointConnectionError(endpoint_url="https://x"), ExternalError, "unreachable"),
        (BotoCoreError(), ExternalError, "aws-trouble"),
        (refusal("ExpiredToken", "expired"), ExternalError, "expired-credentials"),
        (refusal("InvalidClientTokenId", "invalid"), ExternalError, "invalid-credentials"),
        (refusal("AccessDenied", "no"), ExternalError, "access-denied"),
        (refusal("NoSuchBucket", "none"), ExternalError, "bucket-missing"),
        (refusal("404", "Not Found"), MissingError, "not-found"),
        (refusal("ValidationError", "Stack with id x does not exist"), MissingError, "not-found"),
        (refusal("ValidationError", "Template format error"), ApplyError, "aws-refused"),
    ],
)
def test_an_error_is_translated_and_chained(error: Exception, kind: type[SlsMlError], code: str) -> None:
    # GIVEN an error of the SDK
    # WHEN it is raised in a translated block
    with pytest.raises(kind) as caught, translated("deploying"):
        raise error
    # THEN it comes out as ours, with the original as its cause
    assert caught.value.code == code
    assert caught.value.__cause__ is error


def test_a_denied_call_says_which_action_and_why() -> None:
    # GIVEN a refusal of IAM
    why = "User: arn:aws:iam::1:user/u is not authorized to perform: cloudformation:CreateChangeSet"
    # WHEN it is translated
    with pytest.raises(ExternalError) as caught, translated("planning sls-ml-credit-risk-dev"):
        raise refusal("AccessDenied", why)
    # THEN the text carries all that the user needs
    assert str(caught.value) == (
        "the AWS credentials may not do this: CreateChangeSet\n"
        "  where: planning sls-ml-credit-risk-dev\n"
        f"  why: {why}\n"
        "  mend: add the action to the policy of the user or role that deploys"
    )


def test_a_bug_of_ours_is_not_dressed_up() -> None:
    # GIVEN a call with parameters that the SDK refuses
    # WHEN it is raised in a translated block
    # THEN it comes out as it is
    with pytest.raises(ParamValidationError), translated("deploying"):
        raise ParamValidationError(report="Missing required parameter")
