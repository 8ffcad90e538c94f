"""Resource types of IAM."""

# ruff: noqa: ARG002 - every kind has the same methods

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sls_ml.local.cloudformation.kind import (
    Kind,
    Made,
    Properties,
    Site,
    document,
    numbers,
    picked,
    tag_list,
    tag_map,
)


class Role(Kind):
    """``AWS::IAM::Role``."""

    carried = frozenset(
        {
            "AssumeRolePolicyDocument",
            "Description",
            "ManagedPolicyArns",
            "MaxSessionDuration",
            "Path",
            "Policies",
            "RoleName",
            "Tags",
        }
    )
    passed_over = frozenset({"PermissionsBoundary"})
    replaces = frozenset({"RoleName", "Path"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Create the role with its policies."""
        iam = site.client("iam")
        role = properties.get("RoleName", name[-64:])
        values = numbers(
            picked(properties, "Description", "MaxSessionDuration", "Path"), "MaxSessionDuration"
        )
        answer = iam.create_role(
            RoleName=role,
            AssumeRolePolicyDocument=document(properties["AssumeRolePolicyDocument"]),
            Tags=tag_list(properties),
            **values,
        )["Role"]
        made = Made(role, {"Arn": answer["Arn"], "RoleId": answer["RoleId"]})
        try:
            self._set_policies(iam, role, {}, properties)
        except Exception:
            self.delete(site, made, properties)
            raise
        return made

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Change the trust, the policies and the tags."""
        iam = site.client("iam")
        iam.update_assume_role_policy(
            RoleName=made.physical, PolicyDocument=document(new["AssumeRolePolicyDocument"])
        )
        self._set_policies(iam, made.physical, old, new)
        if gone := sorted(set(tag_map(old)) - set(tag_map(new))):
            iam.untag_role(RoleName=made.physical, TagKeys=gone)
        if tags := tag_list(new):
            iam.tag_role(RoleName=made.physical, Tags=tags)
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Take the policies off, then the role."""
        iam = site.client("iam")
        with suppress(iam.exceptions.NoSuchEntityException):
            for policy in iam.list_role_policies(RoleName=made.physical)["PolicyNames"]:
                iam.delete_role_policy(RoleName=made.physical, PolicyName=policy)
            for attached in iam.list_attached_role_policies(RoleName=made.physical)["AttachedPolicies"]:
                iam.detach_role_policy(RoleName=made.physical, PolicyArn=attached["PolicyArn"])
            iam.delete_role(RoleName=made.physical)

    @staticmethod
    def _set_policies(iam: Any, role: str, old: Properties, new: Properties) -> None:
        names = {policy["PolicyName"] for policy in new.get("Policies") or []}
        for policy in old.get("Policies") or []:
            if policy["PolicyName"] not in names:
                iam.delete_role_policy(RoleName=role, PolicyName=policy["PolicyName"])
        for policy in new.get("Policies") or []:
            iam.put_role_policy(
                RoleName=role,
                PolicyName=policy["PolicyName"],
                PolicyDocument=document(policy["PolicyDocument"]),
            )
        before, after = set(old.get("ManagedPolicyArns") or []), set(new.get("ManagedPolicyArns") or [])
        for arn in sorted(before - after):
            iam.detach_role_policy(RoleName=role, PolicyArn=arn)
        for arn in sorted(after - before):
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)


class ManagedPolicy(Kind):
    """``AWS::IAM::ManagedPolicy``."""

    carried = frozenset({"ManagedPolicyName", "PolicyDocument", "Description", "Path", "Roles", "Users"})
    replaces = frozenset({"ManagedPolicyName", "Description", "Path"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Create the policy and attach it."""
        iam = site.client("iam")
        arn = iam.create_policy(
            PolicyName=properties.get("ManagedPolicyName", name),
            PolicyDocument=document(properties["PolicyDocument"]),
            **picked(properties, "Description", "Path"),
        )["Policy"]["Arn"]
        self._attach(iam, arn, {}, properties)
        return Made(arn, {"PolicyArn": arn})

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Make a new default version; the one before is deleted, for a policy holds only five."""
        iam = site.client("iam")
        if old["PolicyDocument"] != new["PolicyDocument"]:
            before = iam.get_policy(PolicyArn=made.physical)["Policy"]["DefaultVersionId"]
            changed = document(new["PolicyDocument"])
            iam.create_policy_version(PolicyArn=made.physical, PolicyDocument=changed, SetAsDefault=True)
            iam.delete_policy_version(PolicyArn=made.physical, VersionId=before)
        self._attach(iam, made.physical, old, new)
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Detach and delete."""
        iam = site.client("iam")
        self._attach(iam, made.physical, properties, {})
        with suppress(iam.exceptions.NoSuchEntityException):
            iam.delete_policy(PolicyArn=made.physical)

    @staticmethod
    def _attach(iam: Any, arn: str, old: Properties, new: Properties) -> None:
        for role in sorted(set(old.get("Roles") or []) - set(new.get("Roles") or [])):
            iam.detach_role_policy(RoleName=role, PolicyArn=arn)
        for role in sorted(set(new.get("Roles") or []) - set(old.get("Roles") or [])):
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)
        for user in sorted(set(old.get("Users") or []) - set(new.get("Users") or [])):
            iam.detach_user_policy(UserName=user, PolicyArn=arn)
        for user in sorted(set(new.get("Users") or []) - set(old.get("Users") or [])):
            iam.attach_user_policy(UserName=user, PolicyArn=arn)


class OIDCProvider(Kind):
    """``AWS::IAM::OIDCProvider``."""

    carried = frozenset({"ClientIdList", "Tags", "ThumbprintList", "Url"})
    replaces = frozenset({"Url", "ThumbprintList"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Create the provider."""
        arn = site.client("iam").create_open_id_connect_provider(
            Url=properties["Url"],
            ClientIDList=list(properties.get("ClientIdList") or []),
            ThumbprintList=list(properties.get("ThumbprintList") or []),
            Tags=tag_list(properties),
        )["OpenIDConnectProviderArn"]
        return Made(arn, {"Arn": arn})

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Change whom the tokens are for."""
        iam = site.client("iam")
        before, after = (set(properties.get("ClientIdList") or []) for properties in (old, new))
        for gone in sorted(before - after):
            iam.remove_client_id_from_open_id_connect_provider(
                OpenIDConnectProviderArn=made.physical, ClientID=gone
            )
        for added in sorted(after - before):
            iam.add_client_id_to_open_id_connect_provider(
                OpenIDConnectProviderArn=made.physical, ClientID=added
            )
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete the provider."""
        site.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=made.physical)
