"""An HTTP API in front of a function, for what a function URL does not know: tokens, keys, throttling."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from string import Template
from typing import Any, assert_never

from sls_ml.errors import UnsupportedError
from sls_ml.intent.model import Deployment, Function
from sls_ml.provider.aws import iam, names
from sls_ml.provider.aws.cloudformation import (
    ACCOUNT,
    PARTITION,
    REGION,
    Resource,
    Value,
    attribute,
    ref,
    resource,
    sub,
)
from sls_ml.provider.aws.endpoint import CORS_SECONDS
from sls_ml.provider.aws.limits import LIMITS
from sls_ml.spec.model import LOCAL_STAGE, Aws, Domain, Http

ROUTES = tuple(f"{method} {path}" for method in ("GET", "HEAD", "POST") for path in ("/", "/{proxy+}"))
"""All that a function answers. There is no ``$default``: the API itself answers preflight requests then."""

KEY_HEADER = "x-api-key"
KEY_LENGTH = 40
REMEMBERED_SECONDS = 60
"""How long the API remembers that a key is good, or bad."""

_AUTHORIZER = files("sls_ml.provider.aws") / "templates" / "key_authorizer.py"


def needed(http: Http) -> bool:
    """Whether an endpoint asks for more than a function URL can do."""
    return http.auth in {"jwt", "key"} or http.throttle is not None or http.domain is not None


def signed_for(http: Http) -> str | None:
    """The service that a request to the endpoint is signed for; None where callers sign nothing."""
    if http.auth != "iam":
        return None
    return "execute-api" if needed(http) else "lambda"


def refuse(deployment: Deployment, function: Function) -> None:
    """Refuse what an HTTP API cannot do.

    Raises:
        UnsupportedError: The function may take longer than the API waits, or tokens come from an issuer
            that only this machine reaches.
    """
    where, limit = f"functions.{function.name}", LIMITS["gateway_timeout_seconds"]
    if function.timeout > limit.value:
        raise UnsupportedError(
            f"an HTTP API waits for {limit.value} s at most",
            code="gateway-timeout",
            where=f"{where}.timeout",
            why=limit.page,
            mend="give a shorter timeout, or use auth: iam without throttle",
        )
    jwt = function.http.jwt if function.http else None
    if jwt is not None and deployment.stage != LOCAL_STAGE and not jwt.issuer.startswith("https://"):
        raise UnsupportedError(
            f"API Gateway does not reach the issuer {jwt.issuer}",
            code="issuer-not-https",
            where=f"{where}.http.jwt.issuer",
            why="an issuer on this machine is for the local stage",
            mend="name an issuer with https, or give the local stage its own",
        )


def url(deployment: Deployment, function: Function, http: Http) -> Value:
    """Where the API is reached: at its domain, which the embedded cloud does not have."""
    if http.domain is not None and deployment.stage != LOCAL_STAGE:
        return f"https://{http.domain.name}"
    return attribute(names.logical_id(function.name, "Api"), "ApiEndpoint")


def domain_target(function: Function) -> Value:
    """The name that a record of the domain must point to."""
    return attribute(names.logical_id(function.name, "ApiDomain"), "RegionalDomainName")


def resources(deployment: Deployment, function: Function, http: Http) -> Iterator[tuple[str, Resource]]:
    """The API, its routes to the alias, and who is let in."""
    name = names.logical_id
    stack = names.stack_name(deployment.project, deployment.stage)
    api, alias = name(function.name, "Api"), name(function.name, "Alias")
    integration = name(function.name, "ApiIntegration")
    yield api, resource("AWS::ApiGatewayV2::Api", _api(function, http, stack), function=function.name)
    yield (
        integration,
        resource(
            "AWS::ApiGatewayV2::Integration",
            {
                "ApiId": ref(api),
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": ref(alias),
                "PayloadFormatVersion": "2.0",
                "TimeoutInMillis": function.timeout * 1000,
            },
            function=function.name,
        ),
    )
    for key in ROUTES:
        route = {"ApiId": ref(api), "RouteKey": key, "Target": sub(f"integrations/${{{integration}}}")}
        yield (
            name(function.name, f"ApiRoute{_word(key)}"),
            resource(
                "AWS::ApiGatewayV2::Route", route | _authorization(function, http), function=function.name
            ),
        )
    yield (
        name(function.name, "ApiStage"),
        resource("AWS::ApiGatewayV2::Stage", _stage(api, http), function=function.name),
    )
    yield (
        name(function.name, "ApiPermission"),
        resource("AWS::Lambda::Permission", _permission(ref(alias), f"${{{api}}}/*"), function=function.name),
    )
    if http.domain is not None:
        yield from _domain(function, http.domain, api)
    match http.auth:
        case "jwt":
            yield from _tokens(function, http, api)
        case "key":
            yield from _key(deployment, function, api, stack)
        case "iam":
            policy = names.invoke_policy_name(stack, function.name, deployment.region)
            yield (
                name(function.name, "InvokePolicy"),
                iam.callers_policy(policy, function.name, stack, iam.call_api(api)),
            )
        case "public":
            pass
        case _:
            assert_never(http.auth)


def _api(function: Function, http: Http, stack: str) -> dict[str, Any]:
    api: dict[str, Any] = {
        "Description": f"Endpoint of {function.name} in {stack}",
        "Name": names.function_name(stack, function.name),
        "ProtocolType": "HTTP",
    }
    if http.cors:
        api["CorsConfiguration"] = {
            "AllowHeaders": ["authorization", "content-type", KEY_HEADER],
            "AllowMethods": ["GET", "POST"],
            "AllowOrigins": list(http.cors),
            "MaxAge": CORS_SECONDS,
        }
    return api


def _word(route: str) -> str:
    """``POST /{proxy+}`` as a part of a logical id: ``PostAny``."""
    method, _, path = route.partition(" ")
    return method.capitalize() + ("Root" if path == "/" else "Any")


def _authorization(function: Function, http: Http) -> dict[str, Any]:
    authorizer = {"AuthorizerId": ref(names.logical_id(function.name, "ApiAuthorizer"))}
    match http.auth:
        case "jwt":
            return {"AuthorizationType": "JWT", **authorizer}
        case "key":
            return {"AuthorizationType": "CUSTOM", **authorizer}
        case "iam":
            return {"AuthorizationType": "AWS_IAM"}
        case "public":
            return {"AuthorizationType": "NONE"}
        case _:
            assert_never(http.auth)


def _stage(api: str, http: Http) -> dict[str, Any]:
    stage: dict[str, Any] = {"ApiId": ref(api), "AutoDeploy": True, "StageName": "$default"}
    if http.throttle is not None:
        stage["DefaultRouteSettings"] = {
            "ThrottlingBurstLimit": http.throttle.burst,
            "ThrottlingRateLimit": http.throttle.rate,
        }
    return stage


def _permission(function: Value, source: str) -> dict[str, Any]:
    return {
        "Action": "lambda:InvokeFunction",
        "FunctionName": function,
        "Principal": "apigateway.amazonaws.com",
        "SourceAccount": sub(ACCOUNT),
        "SourceArn": sub(f"arn:{PARTITION}:execute-api:{REGION}:{ACCOUNT}:{source}"),
    }


def _domain(function: Function, domain: Domain, api: str) -> Iterator[tuple[str, Resource]]:
    """The host name, what it leads to, and its record where the zone is given."""
    name = names.logical_id
    host, stage = name(function.name, "ApiDomain"), name(function.name, "ApiStage")
    yield (
        host,
        resource(
            "AWS::ApiGatewayV2::DomainName",
            {
                "DomainName": domain.name,
                "DomainNameConfigurations": [
                    {
                        "CertificateArn": domain.certificate,
                        "EndpointType": "REGIONAL",
                        "SecurityPolicy": "TLS_1_2",
                    }
                ],
            },
            function=function.name,
        ),
    )
    yield (
        name(function.name, "ApiDomainMap"),
        resource(
            "AWS::ApiGatewayV2::ApiMapping",
            {"ApiId": ref(api), "DomainName": ref(host), "Stage": ref(stage)},
            function=function.name,
        ),
    )
    if domain.zone is not None:
        alias = {
            "DNSName": attribute(host, "RegionalDomainName"),
            "HostedZoneId": attribute(host, "RegionalHostedZoneId"),
        }
        yield (
            name(function.name, "ApiRecord"),
            resource(
                "AWS::Route53::RecordSet",
                {"AliasTarget": alias, "HostedZoneId": domain.zone, "Name": domain.name, "Type": "A"},
                function=function.name,
            ),
        )


def _tokens(function: Function, http: Http, api: str) -> Iterator[tuple[str, Resource]]:
    """Tokens of an issuer, which the API verifies itself."""
    if http.jwt is None:
        raise AssertionError("intent gives a JWT endpoint its issuer")
    yield (
        names.logical_id(function.name, "ApiAuthorizer"),
        resource(
            "AWS::ApiGatewayV2::Authorizer",
            {
                "ApiId": ref(api),
                "AuthorizerType": "JWT",
                "IdentitySource": ["$request.header.Authorization"],
                "JwtConfiguration": {"Audience": list(http.jwt.audience), "Issuer": http.jwt.issuer},
                "Name": "tokens",
            },
            function=function.name,
        ),
    )


def _key(deployment: Deployment, function: Function, api: str, stack: str) -> Iterator[tuple[str, Resource]]:
    """A key that AWS makes up and keeps as a secret, and the authorizer that lets in who brings it."""
    secret = names.logical_id(function.name, "ApiKey")
    reader = names.logical_id(function.name, "ApiKeyReader")
    authorizer = names.logical_id(function.name, "ApiAuthorizer")
    yield (
        secret,
        resource(
            "AWS::SecretsManager::Secret",
            {
                "Description": f"Key for callers of {function.name} in {stack}, header {KEY_HEADER}",
                "GenerateSecretString": {"ExcludePunctuation": True, "PasswordLength": KEY_LENGTH},
                **_encrypted(deployment.aws),
            },
            function=function.name,
        ),
    )
    yield from _key_reader(deployment, function, secret, reader, stack)
    yield (
        authorizer,
        resource(
            "AWS::ApiGatewayV2::Authorizer",
            {
                "ApiId": ref(api),
                "AuthorizerPayloadFormatVersion": "2.0",
                "AuthorizerResultTtlInSeconds": REMEMBERED_SECONDS,
                "AuthorizerType": "REQUEST",
                "AuthorizerUri": sub(
                    f"arn:{PARTITION}:apigateway:{REGION}:lambda:path/2015-03-31/functions/"
                    f"${{{reader}.Arn}}/invocations"
                ),
                "EnableSimpleResponses": True,
                "IdentitySource": [f"$request.header.{KEY_HEADER}"],
                "Name": "key",
            },
            function=function.name,
        ),
    )
    yield (
        f"{reader}Permission",
        resource(
            "AWS::Lambda::Permission",
            _permission(ref(reader), f"${{{api}}}/authorizers/${{{authorizer}}}"),
            function=function.name,
        ),
    )


def _key_reader(
    deployment: Deployment, function: Function, secret: str, reader: str, stack: str
) -> Iterator[tuple[str, Resource]]:
    """The small function that compares what a caller brings with the key: its log, its role, its code."""
    logs, role = f"{reader}Logs", f"{reader}Access"
    log_group = names.log_group_name(f"{names.function_name(stack, function.name)}/key")
    aws = deployment.aws
    yield (
        logs,
        resource(
            "AWS::Logs::LogGroup",
            {"LogGroupName": log_group, "RetentionInDays": function.log_retention, **_encrypted(aws)},
            function=function.name,
        ),
    )
    statements = [iam.write_logs(log_group), iam.read_key(secret)]
    yield (
        role,
        iam.role(
            names.part_role_name(stack, function.name, "key", deployment.region),
            "lambda.amazonaws.com",
            iam.policy([*statements, iam.use_key(aws.kms, writes=False)] if aws.kms else statements),
            boundary=aws.permissions_boundary,
            function=function.name,
        ),
    )
    code = Template(_AUTHORIZER.read_text("utf-8")).substitute(function=function.name)
    yield (
        reader,
        resource(
            "AWS::Lambda::Function",
            {
                "Code": {"ZipFile": code},
                "Description": f"Lets callers of {function.name} in who bring its key",
                "Environment": {"Variables": {"SECRET": ref(secret)}},
                "Handler": "index.handler",
                "LoggingConfig": {"LogFormat": "JSON", "LogGroup": ref(logs)},
                "MemorySize": 256,
                "Role": attribute(role, "Arn"),
                "Runtime": f"python{function.python}",
                "Timeout": 5,
            },
            function=function.name,
        ),
    )


def _encrypted(aws: Aws) -> dict[str, Any]:
    """The property that names the key of the account's own, where it asks for one."""
    return {"KmsKeyId": aws.kms} if aws.kms else {}
