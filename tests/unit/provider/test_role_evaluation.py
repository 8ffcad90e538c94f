"""What roles may do with services that the embedded cloud does not enforce, by evaluating their documents.

The documents are those of the golden templates, with the holes filled; the evaluator is the one by which the
embedded cloud judges function URLs and HTTP APIs. S3, SQS and Secrets Manager are tested by enforcement.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sls_ml.local.authorisation import allows
from sls_ml.provider.aws import role_policies

GOLDEN = Path(__file__).parents[2] / "golden" / "aws"
HOLES = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012"}
HERE = "eu-west-1:123456789012"
STACK = "sls-ml-credit-risk-dev"
KEY = f"arn:aws:kms:{HERE}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OWN_LOG = f"arn:aws:logs:{HERE}:log-group:/aws/lambda/{STACK}-predict:log-stream:2026/11/24/x"
FUNCTION = f"arn:aws:lambda:{HERE}:function:{STACK}-predict"
INTERFACE = f"arn:aws:ec2:{HERE}:network-interface/eni-0a1b2c3d"
BUCKET = "arn:aws:s3:::arn:of:DataBucket"


def may(golden: str, role: str, action: str, resource: str, context: dict[str, str] | None = None) -> bool:
    """Whether a role of a golden template may do this."""
    template = json.loads((GOLDEN / f"{golden}.json").read_text())
    holder = role_policies.holders(template)[role]
    statements = json.loads(re.sub(r"\$\{([^}]+)\}", _stands_for, json.dumps(holder.statements)))
    return allows(action, resource, identity=statements, context=context)


def _stands_for(hole: re.Match[str]) -> str:
    """The pseudo parameter, or an ARN that ends in a logical id."""
    return HOLES.get(hole[1], f"arn:of:{hole[1].removesuffix('.Arn')}")


def call(*words: str, **context: str) -> Any:
    return pytest.param(
        *words, {key.replace("_", ":"): value for key, value in context.items()}, id=" ".join(words)
    )


@pytest.mark.parametrize(
    ("golden", "role", "action", "resource", "context"),
    [
        call("http", "PredictRole", "logs:PutLogEvents", OWN_LOG),
        call("http", "PredictRole", "logs:CreateLogStream", OWN_LOG),
        call("careful-account", "PredictRole", "kms:Decrypt", KEY),
        call("careful-account", "ScoreRole", "kms:GenerateDataKey", KEY),
        call("careful-account", "PredictRole", "ec2:CreateNetworkInterface", INTERFACE),
        call(
            "http-key", "PredictApiKeyReaderAccess", "secretsmanager:GetSecretValue", "arn:of:PredictApiKey"
        ),
        call(
            "http",
            "PredictInvokePolicy",
            "lambda:InvokeFunctionUrl",
            "arn:of:PredictAlias",
            lambda_FunctionUrlAuthType="AWS_IAM",
        ),
        call(
            "http",
            "PredictInvokePolicy",
            "lambda:InvokeFunction",
            "arn:of:PredictAlias",
            lambda_InvokedViaFunctionUrl="true",
        ),
        call("batch-scheduled", "ScoreRole", "s3:ListBucket", BUCKET, s3_prefix="score/in/"),
        call("batch", "ScoreRole", "sqs:SendMessage", "arn:of:ScoreQueue"),
        call("batch-scheduled", "ScoreScheduleAccess", "sqs:SendMessage", "arn:of:ScoreQueue"),
        call("batch-scheduled", "NightlyRole", "s3:ListBucket", "arn:aws:s3:::in-bucket"),
    ],
)
def test_what_a_role_is_for_is_allowed(
    golden: str, role: str, action: str, resource: str, context: dict[str, str]
) -> None:
    assert may(golden, role, action, resource, context)


@pytest.mark.parametrize(
    ("golden", "role", "action", "resource", "context"),
    [
        call("http", "PredictRole", "logs:PutLogEvents", OWN_LOG.replace("predict", "other")),
        call("http", "PredictRole", "logs:CreateLogGroup", OWN_LOG),
        call("http", "PredictRole", "logs:DeleteLogStream", OWN_LOG),
        call("http", "PredictRole", "logs:GetLogEvents", OWN_LOG),
        call("http", "PredictRole", "lambda:InvokeFunction", FUNCTION),
        call("http", "PredictRole", "lambda:UpdateFunctionCode", FUNCTION),
        call("http", "PredictRole", "iam:PassRole", f"arn:aws:iam::123456789012:role/{STACK}-predict"),
        call("http", "PredictRole", "sts:AssumeRole", "arn:aws:iam::123456789012:role/admin"),
        call("http", "PredictRole", "kms:Decrypt", KEY),
        call("http", "PredictRole", "events:PutEvents", f"arn:aws:events:{HERE}:event-bus/default"),
        call("careful-account", "PredictRole", "kms:GenerateDataKey", KEY),
        call("careful-account", "PredictRole", "kms:Decrypt", KEY.replace("1234abcd", "ffffffff")),
        call("careful-account", "PredictRole", "kms:ScheduleKeyDeletion", KEY),
        call(
            "careful-account",
            "PredictRole",
            "ec2:CreateNetworkInterface",
            INTERFACE,
            lambda_SourceFunctionArn=FUNCTION,
        ),
        call("http-key", "PredictApiKeyReaderAccess", "secretsmanager:GetSecretValue", "arn:of:Other"),
        call(
            "http-key", "PredictApiKeyReaderAccess", "secretsmanager:PutSecretValue", "arn:of:PredictApiKey"
        ),
        call("http-key", "PredictRole", "secretsmanager:GetSecretValue", "arn:of:PredictApiKey"),
        call("http", "PredictInvokePolicy", "lambda:InvokeFunction", "arn:of:PredictAlias"),
        call(
            "http",
            "PredictInvokePolicy",
            "lambda:InvokeFunctionUrl",
            "arn:of:PredictAlias",
            lambda_FunctionUrlAuthType="NONE",
        ),
        call("batch", "ScoreRole", "s3:ListBucket", BUCKET, s3_prefix="score/in/"),
        call("batch", "ScoreRole", "sqs:SendMessage", "arn:of:ScoreDeadLetters"),
        call("batch-scheduled", "ScoreRole", "s3:ListBucket", BUCKET, s3_prefix="score/out/"),
        call("batch-scheduled", "ScoreRole", "s3:ListBucket", BUCKET),
        call("batch-scheduled", "ScoreRole", "s3:DeleteObject", f"{BUCKET}/score/in/a.csv"),
        call("batch-scheduled", "ScoreRole", "sqs:SendMessage", "arn:of:NightlyQueue"),
        call("batch-scheduled", "ScoreRole", "sqs:SendMessage", "arn:of:ScoreDeadLetters"),
        call("batch-scheduled", "NightlyRole", "s3:ListBucket", "arn:aws:s3:::out-bucket"),
        call("batch-scheduled", "ScoreScheduleAccess", "sqs:SendMessage", "arn:of:NightlyQueue"),
        call("batch-scheduled", "ScoreScheduleAccess", "sqs:ReceiveMessage", "arn:of:ScoreQueue"),
        call("batch-scheduled", "ScoreScheduleAccess", "s3:GetObject", f"{BUCKET}/score/in/a.csv"),
    ],
)
def test_all_else_is_not(golden: str, role: str, action: str, resource: str, context: dict[str, str]) -> None:
    assert not may(golden, role, action, resource, context)
