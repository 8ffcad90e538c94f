"""The resource type of Secrets Manager."""

# ruff: noqa: ARG002 - every kind has the same methods

from __future__ import annotations

from contextlib import suppress

from sls_ml.local.cloudformation.kind import Kind, Made, Properties, Site, picked, tag_list


class Secret(Kind):
    """``AWS::SecretsManager::Secret``."""

    carried = frozenset({"Description", "GenerateSecretString", "Name", "SecretString", "Tags"})
    passed_over = frozenset({"KmsKeyId", "ReplicaRegions"})
    replaces = frozenset({"Name"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Create the secret, with a value that is made up where none is given."""
        secrets = site.client("secretsmanager")
        value = properties.get("SecretString")
        if value is None:
            value = secrets.get_random_password(
                **picked(
                    properties["GenerateSecretString"],
                    "ExcludeCharacters",
                    "ExcludeLowercase",
                    "ExcludeNumbers",
                    "ExcludePunctuation",
                    "ExcludeUppercase",
                    "IncludeSpace",
                    "PasswordLength",
                    "RequireEachIncludedType",
                )
            )["RandomPassword"]
        arn = secrets.create_secret(
            Name=properties.get("Name", name),
            SecretString=value,
            Tags=tag_list(properties),
            **picked(properties, "Description"),
        )["ARN"]
        return Made(arn, {"Id": arn})

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Change the description, and a value that is given; one that was made up stays."""
        site.client("secretsmanager").update_secret(
            SecretId=made.physical, **picked(new, "Description", "SecretString")
        )
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete the secret at once."""
        secrets = site.client("secretsmanager")
        with suppress(secrets.exceptions.ResourceNotFoundException):
            secrets.delete_secret(SecretId=made.physical, ForceDeleteWithoutRecovery=True)
