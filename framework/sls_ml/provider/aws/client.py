"""The door to AWS: the only module that imports its SDK, and where the SDK's errors are translated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from boto3.exceptions import S3UploadFailedError
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.httpsession import URLLib3Session
from botocore.parsers import ResponseParserError

from sls_ml.errors import ApplyError, ExternalError, SlsMlError, UsageError
from sls_ml.provider.aws import drift_watch, names
from sls_ml.provider.base import Target

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_INVALID = {
    "AuthFailure",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_DENIED = {"403", "AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_MISSING = {"404", "ChangeSetNotFound", "NoSuchKey", "NotFound", "ResourceNotFoundException"}


class MissingError(ExternalError):
    """What was asked for does not exist on AWS."""


class Client:
    """A session with AWS, or with an endpoint that speaks like AWS.

    Raises:
        ExternalError: The target's profile does not exist.
    """

    def __init__(self, target: Target) -> None:
        self.region = target.region
        with translated("opening a session"):
            self._session = boto3.Session(
                aws_access_key_id=target.access_key,
                aws_secret_access_key=target.secret_key,
                profile_name=target.profile,
                region_name=target.region,
            )
        self._endpoint = target.endpoint_url
        self._config = Config(
            retries={"mode": "standard", "max_attempts": 5},
            s3={"addressing_style": "path"} if target.endpoint_url else {},
        )
        self.poll_seconds = 0.1 if target.endpoint_url else 2.0

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """Stacks and change sets."""
        return self._session.client("cloudformation", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def s3(self) -> S3Client:
        """Buckets and objects."""
        return self._session.client("s3", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def secrets(self) -> SecretsManagerClient:
        """Secrets, of which only the description is read."""
        return self._session.client("secretsmanager", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def sqs(self) -> SQSClient:
        """Queues."""
        return self._session.client("sqs", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def functions(self) -> LambdaClient:
        """Functions, versions and aliases; a call waits for as long as the drift watch may run."""
        patient = self._config.merge(Config(read_timeout=drift_watch.TIMEOUT + 10))
        return self._session.client("lambda", endpoint_url=self._endpoint, config=patient)

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        """Log groups."""
        return self._session.client("logs", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def iam(self) -> IAMClient:
        """Identity providers."""
        return self._session.client("iam", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """Metrics."""
        return self._session.client("cloudwatch", endpoint_url=self._endpoint, config=self._config)

    @property
    def embedded(self) -> bool:
        """Whether this is an endpoint that speaks like AWS, with keys that belong to no session."""
        return self._endpoint is not None

    @cached_property
    def account(self) -> str:
        """The twelve digits of the account that the credentials belong to."""
        sts = self._session.client("sts", endpoint_url=self._endpoint, config=self._config)
        with translated("asking whose credentials these are"):
            return sts.get_caller_identity()["Account"]

    @property
    def store_bucket(self) -> str:
        """Name of the bootstrap bucket for artifacts."""
        return names.store_bucket(self.account, self.region)

    @property
    def package_bucket(self) -> str:
        """Name of the bootstrap bucket for packages."""
        return names.package_bucket(self.account, self.region)

    def object_url(self, bucket: str, key: str) -> str:
        """The https URL by which other services of AWS read an object."""
        china = self._session.get_partition_for_region(self.region) == "aws-cn"
        return f"https://s3.{self.region}.amazonaws.com{'.cn' if china else ''}/{bucket}/{key}"

    def send(
        self,
        method: str,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        service: str | None,
        timeout: int,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send an HTTP request to a function URL or an HTTP API.

        Args:
            method: Such as ``POST``.
            url: The whole URL.
            body: The request's body.
            headers: Its headers.
            service: The service that it is signed for (SigV4), with the session's credentials; or None.
            timeout: Seconds to wait for the answer.

        Returns:
            Status, headers with lower-case names, body.
        """
        request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
        with translated(f"calling {url}"):
            if service is not None:
                credentials = self._session.get_credentials()
                if credentials is None:
                    raise NoCredentialsError
                signer = SigV4Auth(credentials.get_frozen_credentials(), service, self.region)
                signer.add_auth(request)
            answer = URLLib3Session(timeout=timeout).send(request.prepare())
            return (
                answer.status_code,
                {name.lower(): value for name, value in answer.headers.items()},
                answer.content,
            )


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an ``s3://`` URI.

    Raises:
        UsageError: The URI has another scheme.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise UsageError(f"{uri} is not an s3:// URI", code="not-s3", mend="say s3://bucket/prefix/")
    return bucket, key


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn what the SDK raises inside into errors of sls-ml, chained.

    Args:
        doing: What is being done, such as ``planning the stack``.

    Raises:
        MissingError: What was asked for does not exist.
        ExternalError: Credentials, permissions, the network or a bucket are missing.
        ApplyError: AWS refused the call for any other reason.
    """
    try:
        yield
    except S3UploadFailedError as error:
        cause = error.__context__
        if isinstance(cause, ClientError):
            raise _refusal(cause, doing) from error
        raise ExternalError(
            f"{doing} failed", code="upload-failed", why=str(error), mend="run the same command again"
        ) from error
    except ClientError as error:
        raise _refusal(error, doing) from error
    except ParamValidationError:
        raise  # the call itself is wrong: a bug of ours
    except ResponseParserError as error:
        raise ExternalError(
            "the answer is not one of AWS",
            code="not-aws",
            where=doing,
            why=str(error),
            mend="check the proxy, and AWS_ENDPOINT_URL where it is set",
        ) from error
    except BotoCoreError as error:
        raise _trouble(error, doing) from error


def _trouble(error: BotoCoreError, doing: str) -> ExternalError:
    """An error that arose on this machine or on the way to AWS."""
    mend: str | None
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            what, code = "there are no AWS credentials", "no-credentials"
            mend = "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`"
        case TokenRetrievalError() | SSOError() | CredentialRetrievalError():
            what, code = "the AWS login has run out", "expired-credentials"
            mend = "log in again, for example with `aws sso login`"
        case ProfileNotFound():
            what, code = "the AWS profile does not exist", "no-profile"
            mend = "check AWS_PROFILE against ~/.aws/config"
        case NoRegionError():
            what, code, mend = "no AWS region is set", "no-region", "set `region` in sls-ml.yaml"
        case EndpointConnectionError() | HTTPClientError():
            what, code = "AWS cannot be reached", "unreachable"
            mend = "check the network, the proxy and the region's name"
        case _:
            what, code, mend = f"{doing} failed", "aws-trouble", None
    return ExternalError(what, code=code, where=doing, why=str(error), mend=mend)


def _refusal(error: ClientError, doing: str) -> SlsMlError:
    """An answer of AWS that says no."""
    code = error.response.get("Error", {}).get("Code", "")
    why = error.response.get("Error", {}).get("Message") or str(error)
    if code in _EXPIRED:
        return ExternalError(
            "the AWS credentials have run out",
            code="expired-credentials",
            where=doing,
            why=why,
            mend="log in again, for example with `aws sso login`",
        )
    if code in _INVALID:
        return ExternalError(
            "AWS does not accept the credentials",
            code="invalid-credentials",
            where=doing,
            why=why,
            mend="check AWS_PROFILE and the access keys; some regions must be switched on first",
        )
    if code in _DENIED:
        return ExternalError(
            f"the AWS credentials may not do this: {error.operation_name}",
            code="access-denied",
            where=doing,
            why=why,
            mend="add the action to the policy of the user or role that deploys",
        )
    if code == "NoSuchBucket":
        return ExternalError(
            "the bucket does not exist",
            code="bucket-missing",
            where=doing,
            why=why,
            mend="run `sls-ml bootstrap` once per account and region",
        )
    if code in _MISSING or (code == "ValidationError" and "does not exist" in why):
        return MissingError(f"{doing} failed: it does not exist", code="not-found", where=doing, why=why)
    return ApplyError(f"AWS refused: {doing}", code="aws-refused", where=error.operation_name, why=why)
