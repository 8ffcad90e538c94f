"""The resource types of API Gateway's HTTP APIs."""

# ruff: noqa: ARG002 - every kind has the same methods

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sls_ml.local.cloudformation.kind import (
    Kind,
    Made,
    Properties,
    PutWhole,
    ResourceError,
    Site,
    numbers,
    picked,
)


class Api(Kind):
    """``AWS::ApiGatewayV2::Api`` of the protocol HTTP, which is served on a port of its own."""

    _plain = ("Description", "Name")
    carried = frozenset({*_plain, "CorsConfiguration", "ProtocolType", "Tags"})
    passed_over = frozenset({"DisableExecuteApiEndpoint"})
    replaces = frozenset({"ProtocolType"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Create the API and open its endpoint."""
        if properties.get("ProtocolType") != "HTTP":
            raise ResourceError("The embedded cloud has HTTP APIs only")
        tags = {key: str(value) for key, value in (properties.get("Tags") or {}).items()}
        answer = site.client("apigatewayv2").create_api(
            Name=properties.get("Name", name),
            ProtocolType="HTTP",
            Tags=tags,
            **_cors(properties),
            **picked(properties, "Description"),
        )
        return Made(answer["ApiId"], {"ApiEndpoint": answer["ApiEndpoint"], "ApiId": answer["ApiId"]})

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Change what it says and who may read it; its endpoint stays."""
        client = site.client("apigatewayv2")
        client.update_api(ApiId=made.physical, **_cors(new), **picked(new, *self._plain))
        if "CorsConfiguration" in old and "CorsConfiguration" not in new:
            client.delete_cors_configuration(ApiId=made.physical)
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Close the endpoint and delete the API with all that is in it."""
        client = site.client("apigatewayv2")
        with suppress(client.exceptions.NotFoundException):
            client.delete_api(ApiId=made.physical)


def _cors(properties: Properties) -> dict[str, Any]:
    cors = properties.get("CorsConfiguration")
    return {"CorsConfiguration": numbers(cors, "MaxAge")} if cors else {}


class Stage(PutWhole):
    """``AWS::ApiGatewayV2::Stage``: the one that every request reaches."""

    carried = frozenset({"ApiId", "AutoDeploy", "DefaultRouteSettings", "StageName"})
    passed_over = frozenset({"AccessLogSettings", "Tags"})
    replaces = frozenset({"ApiId", "StageName"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Put the stage, whole."""
        if properties["StageName"] != "$default" or not properties.get("AutoDeploy"):
            raise ResourceError("The embedded cloud has the stage $default, deployed by itself")
        settings = properties.get("DefaultRouteSettings") or {}
        settings = numbers(settings, "ThrottlingBurstLimit")
        if "ThrottlingRateLimit" in settings:
            settings["ThrottlingRateLimit"] = float(settings["ThrottlingRateLimit"])
        site.client("apigatewayv2").create_stage(
            ApiId=properties["ApiId"], StageName="$default", AutoDeploy=True, DefaultRouteSettings=settings
        )
        return Made("$default")

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete the stage."""
        client = site.client("apigatewayv2")
        with suppress(client.exceptions.NotFoundException):
            client.delete_stage(ApiId=properties["ApiId"], StageName=made.physical)


class Integration(Kind):
    """``AWS::ApiGatewayV2::Integration`` with a function."""

    carried = frozenset(
        {"ApiId", "IntegrationType", "IntegrationUri", "PayloadFormatVersion", "TimeoutInMillis"}
    )
    replaces = frozenset({"ApiId"})

    def _values(self, properties: Properties) -> dict[str, Any]:
        kind = (properties.get("IntegrationType"), properties.get("PayloadFormatVersion"))
        if kind != ("AWS_PROXY", "2.0"):
            raise ResourceError("The embedded cloud integrates functions with payload format 2.0")
        return numbers(picked(properties, *self.carried), "TimeoutInMillis")

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Create the integration."""
        answer = site.client("apigatewayv2").create_integration(**self._values(properties))
        return Made(answer["IntegrationId"], {"IntegrationId": answer["IntegrationId"]})

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Change it in place."""
        site.client("apigatewayv2").update_integration(IntegrationId=made.physical, **self._values(new))
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete it."""
        client = site.client("apigatewayv2")
        with suppress(client.exceptions.NotFoundException):
            client.delete_integration(ApiId=properties["ApiId"], IntegrationId=made.physical)


class Route(Kind):
    """``AWS::ApiGatewayV2::Route``."""

    carried = frozenset({"ApiId", "AuthorizationType", "AuthorizerId", "RouteKey", "Target"})
    replaces = frozenset({"ApiId", "RouteKey"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Create the route."""
        answer = site.client("apigatewayv2").create_route(**picked(properties, *self.carried))
        return Made(answer["RouteId"], {"RouteId": answer["RouteId"]})

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Change it in place."""
        values = {"AuthorizationType": "NONE", **picked(new, *self.carried)}
        site.client("apigatewayv2").update_route(RouteId=made.physical, **values)
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete it."""
        client = site.client("apigatewayv2")
        with suppress(client.exceptions.NotFoundException):
            client.delete_route(ApiId=properties["ApiId"], RouteId=made.physical)


class Authorizer(Kind):
    """``AWS::ApiGatewayV2::Authorizer``: tokens, or a function."""

    carried = frozenset(
        {
            "ApiId",
            "AuthorizerPayloadFormatVersion",
            "AuthorizerResultTtlInSeconds",
            "AuthorizerType",
            "AuthorizerUri",
            "EnableSimpleResponses",
            "IdentitySource",
            "JwtConfiguration",
            "Name",
        }
    )
    replaces = frozenset({"ApiId"})

    def _values(self, properties: Properties) -> dict[str, Any]:
        return numbers(picked(properties, *self.carried), "AuthorizerResultTtlInSeconds")

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Create the authorizer."""
        answer = site.client("apigatewayv2").create_authorizer(**self._values(properties))
        return Made(answer["AuthorizerId"], {"AuthorizerId": answer["AuthorizerId"]})

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Change it in place."""
        site.client("apigatewayv2").update_authorizer(AuthorizerId=made.physical, **self._values(new))
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete it."""
        client = site.client("apigatewayv2")
        with suppress(client.exceptions.NotFoundException):
            client.delete_authorizer(ApiId=properties["ApiId"], AuthorizerId=made.physical)
