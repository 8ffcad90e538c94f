"""What moto does otherwise than AWS and our stacks feel, mended in place.

Seen with moto 5.2.5; each function says what it mends, and is to go when moto does it itself.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from moto.apigateway.models import APIGatewayBackend
from moto.apigatewayv2.models import ApiGatewayV2Backend
from moto.core.responses import ActionResult
from moto.events.models import Rule
from moto.iam.access_control import IAMRequestBase
from moto.logs.responses import LogsResponse
from moto.s3.responses import S3Response
from moto.scheduler.models import EventBridgeSchedulerBackend
from moto.secretsmanager.responses import SecretsManagerResponse
from moto.sqs.models import Queue, sqs_backends

from sls_ml.local.authorisation import allows, document_of, statements_of

_log = logging.getLogger(__name__)


def keep_queue_policies() -> None:
    """Keep the policy of a queue when other attributes are set; moto forgets it."""
    moto: Any = Queue
    set_attributes = moto._set_attributes

    def keep(queue: Any, attributes: dict[str, Any], now: float | None = None) -> None:
        kept = {} if "Policy" in attributes else {"Policy": queue.policy}
        set_attributes(queue, {**attributes, **kept}, now)

    moto._set_attributes = keep


def ask_queue_policies() -> None:
    """Let EventBridge deliver to a queue only what the queue's policy lets it; moto does not ask."""
    moto: Any = Rule
    deliver = moto._send_to_sqs_queue

    def ask_first(rule: Any, name: str, event: dict[str, Any], group_id: str | None = None) -> None:
        queues = sqs_backends[rule.account_id][rule.region_name].queues
        if name not in queues:
            _log.warning("rule %s: there is no queue %s", rule.name, name)
            return
        queue = queues[name]
        if not allows(
            "sqs:SendMessage",
            queue.queue_arn,
            resource_policy=statements_of(queue.policy),
            service="events.amazonaws.com",
            context={
                "aws:SourceArn": rule.arn,
                "aws:SourceAccount": rule.account_id,
                "aws:SecureTransport": "true",
            },
        ):
            _log.warning("rule %s: the policy of queue %s does not let it send", rule.name, name)
            return
        deliver(rule, name, _as_aws_writes_it(event), group_id)

    moto._send_to_sqs_queue = ask_first


def tell_event_bridge() -> None:
    """Say of a bucket that it tells EventBridge of its objects; moto leaves that out of its answer."""
    moto: Any = S3Response
    answer = moto.get_bucket_notification

    def told(response: Any) -> Any:
        found = response.backend.get_bucket_notification_configuration(response.bucket_name)
        if found and found.event_bridge is not None:
            serialized = response.serialized
            more: dict[str, Any] = {"EventBridgeConfiguration": {}}
            response.serialized = lambda result: serialized(ActionResult({**result.result, **more}))
        return answer(response)

    moto.get_bucket_notification = told


def name_secrets() -> None:
    """Judge a call about a secret by the secret's ARN; for moto each is about all secrets.

    A name that no secret has stays as it is, as with AWS: a role that may read some is denied it.
    """

    def determine(response: Any) -> str:
        given: str = response._get_param("SecretId") or "*"
        secret = response.backend.secrets.get(given)
        return secret.arn if secret else given

    moto: Any = SecretsManagerResponse
    moto._determine_resource = determine


def name_log_groups() -> None:
    """Judge a call about a log group by the ARN that policies name it by; for moto each is about all."""

    def determine(response: Any) -> str:
        group = response._get_param("logGroupName")
        if not group:
            return "*"
        return f"arn:aws:logs:{response.region}:{response.current_account}:log-group:{group}:log-stream:"

    moto: Any = LogsResponse
    moto._determine_resource = determine


def sign_empty_bodies() -> None:
    """Check signatures over the empty body of requests without one; moto puts their parameters there."""

    def create(signed: Any) -> Any:
        if signed._method in {"DELETE", "GET", "HEAD"}:
            signed._data, data = {}, signed._data
            request = create_request(signed)
            signed._data = data
            return request
        return create_request(signed)

    moto: Any = IAMRequestBase
    create_request = moto._create_aws_request
    moto._create_aws_request = create


def serve_apis(open_: Callable[[Any], str], close: Callable[[Any], None]) -> None:
    """Serve the HTTP APIs that are made; for moto they are names without an endpoint.

    Args:
        open_: Serves an API, and gives back its address.
        close: Stops serving one.
    """
    moto: Any = ApiGatewayV2Backend
    create, delete = moto.create_api, moto.delete_api

    def create_and_serve(backend: Any, **values: Any) -> Any:
        api = create(backend, **values)
        if api.protocol_type == "HTTP":
            api.api_endpoint = open_(api)
        return api

    def delete_and_close(backend: Any, api_id: str) -> None:
        api = backend.get_api(api_id)
        delete(backend, api_id)
        if api.protocol_type == "HTTP":
            close(api)

    moto.create_api, moto.delete_api = create_and_serve, delete_and_close


def take_swagger() -> None:
    """Take REST APIs in Swagger 2.0, and keep who may call them.

    moto refuses it, though what it reads of OpenAPI 3 is the same there.
    """
    moto: Any = APIGatewayBackend
    put, import_ = moto.put_rest_api, moto.import_rest_api

    def import_any(backend: Any, api_doc: dict[str, Any], fail_on_warnings: bool) -> Any:
        described = {**api_doc, "info": {"description": "", **api_doc["info"]}}
        return import_(backend, described, fail_on_warnings)

    def put_any(backend: Any, function_id: str, api_doc: dict[str, Any], **values: Any) -> Any:
        if api_doc.get("swagger") != "2.0":
            return put(backend, function_id, api_doc, **values)
        paths = {
            path: {method: _with_whole_integration(entry) for method, entry in methods.items()}
            for path, methods in api_doc["paths"].items()
        }
        api = put(backend, function_id, {"openapi": "3.0.1", "paths": paths}, **values)
        definitions = api_doc.get("securityDefinitions", {})
        for resource in api.resources.values():
            for verb, method in resource.resource_methods.items():
                asked = paths.get(resource.get_path(), {}).get(verb.lower(), {}).get("security", [])
                kinds = {
                    definitions[name].get("x-amazon-apigateway-authtype") for each in asked for name in each
                }
                method.authorization_type = (
                    "AWS_IAM" if kinds == {"awsSigv4"} else "CUSTOM" if kinds else "NONE"
                )
        api.binaryMediaTypes = list(api_doc.get("x-amazon-apigateway-binary-media-types") or [])
        return api

    moto.put_rest_api, moto.import_rest_api = put_any, import_any


def _with_whole_integration(entry: dict[str, Any]) -> dict[str, Any]:
    """A method whose integration has what moto wants of each, its kind in capitals."""
    key = "x-amazon-apigateway-integration"
    given = entry[key]
    return {**entry, key: {"uri": "", "httpMethod": "", **given, "type": given["type"].upper()}}


def judge_calls() -> None:
    """Judge calls as the rest of this cloud does: by conditions, too, and roles by whom they trust.

    moto refuses what a statement with a condition is about, fails when a role trusts a service and no
    account, and asks for permissions such as ``sqs:SendMessageBatch``, which IAM does not have.
    """

    def check(request: Any, resource: str) -> None:
        action = request._action.removesuffix("Batch" if request._service == "sqs" else "")
        if action == "sts:GetCallerIdentity":
            return
        caller = request._access_key
        documents = [document_of(policy) for policy in caller.collect_policies()]
        identity = [each for document in documents for each in statements_of(document)]
        query = parse_qs(urlsplit(request._path).query, keep_blank_values=True)
        context = {"s3:prefix": query["prefix"][0]} if "prefix" in query else {}
        allowed = allows(action, resource, identity=identity, context=context)
        if allowed and request._is_assuming_role_operation(resource):
            trust = request.backend.get_role_by_arn(resource).assume_role_policy_document
            allowed = allows(action, resource, resource_policy=statements_of(trust), principal=caller.arn)
        if not allowed:
            request._raise_access_denied()

    moto: Any = IAMRequestBase
    moto.check_action_permitted = check


def keep_time(begin: Callable[[Any], None], end: Callable[[str], None]) -> None:
    """Carry schedules out; for moto they are names without a clock.

    Args:
        begin: Carries a schedule out, from now on.
        end: Carries it out no more, given its name.
    """
    moto: Any = EventBridgeSchedulerBackend
    create, update, delete = moto.create_schedule, moto.update_schedule, moto.delete_schedule

    def begun(change: Any) -> Any:
        def call(backend: Any, **values: Any) -> Any:
            schedule = change(backend, **values)
            begin(schedule)
            return schedule

        return call

    def delete_and_end(backend: Any, group_name: str | None, name: str) -> None:
        delete(backend, group_name, name)
        end(name)

    moto.create_schedule, moto.update_schedule = begun(create), begun(update)
    moto.delete_schedule = delete_and_end


def _as_aws_writes_it(event: dict[str, Any]) -> dict[str, Any]:
    """The event of an object in AWS's spelling, with an id and a place in the sequence of its own."""
    if event.get("source") != "aws.s3":
        return event
    given = event["detail"]["object"]
    object_ = {name: given[name] for name in ("key", "size") if given.get(name) is not None}
    if given.get("eTag"):
        object_["etag"] = given["eTag"]
    if given.get("version-id") not in (None, "null"):
        object_["version-id"] = given["version-id"]
    object_["sequencer"] = f"{time.time_ns():016X}"
    return {**event, "id": str(uuid.uuid4()), "detail": {**event["detail"], "object": object_}}
