"""The account that the embedded cloud is: where it answers, and as whom its own services act in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from moto.sts.models import sts_backends


@dataclass(frozen=True)
class Account:
    """One account in one region.

    Attributes:
        number: Its number.
        region: The region.
        url: Where the cloud answers.
    """

    number: str
    region: str
    url: str

    def credentials(self, role: str, session: str) -> Mapping[str, str]:
        """Credentials of a role, as the environment variables that Lambda gives to a function.

        Args:
            role: ARN of the role.
            session: What the role is taken for, as its ARN in policies and logs then says.
        """
        assumed = sts_backends[self.number]["aws"].assume_role(
            region_name=self.region,
            role_session_name=session,
            role_arn=role,
            policy="",
            duration=43200,
            external_id="",
        )
        return {
            "AWS_ACCESS_KEY_ID": assumed.access_key_id,
            "AWS_SECRET_ACCESS_KEY": assumed.secret_access_key,
            "AWS_SESSION_TOKEN": assumed.session_token,
        }

    def client(self, service: str, role: str, session: str, config: Config | None = None) -> Any:
        """A boto3 client of one of the cloud's services that acts as a role."""
        keys = self.credentials(role, session)
        connect: Any = boto3.session.Session().client  # typed for each service by name
        return connect(
            service,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=keys["AWS_SESSION_TOKEN"],
            config=config,
        )
