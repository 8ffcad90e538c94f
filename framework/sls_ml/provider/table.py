"""The providers that this version of sls-ml deploys to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sls_ml.errors import UnsupportedError
from sls_ml.provider import aws
from sls_ml.provider.base import Provider
from sls_ml.spec.model import ProviderName

PROVIDERS: Final[Mapping[ProviderName, Provider]] = {aws.NAME: aws}


def provider(name: ProviderName) -> Provider:
    """The provider with this name.

    Raises:
        UnsupportedError: This version does not deploy to it.
    """
    try:
        return PROVIDERS[name]
    except KeyError:
        raise UnsupportedError(
            f"this version of sls-ml does not deploy to {name}",
            code="provider-unsupported",
            where="provider",
            mend=f"use one of: {', '.join(PROVIDERS)}",
        ) from None
