"""Amazon Web Services: Lambda functions, S3 and SQS, deployed by CloudFormation."""

from typing import Final

from sls_ml.provider.aws.connect import connect, operate
from sls_ml.provider.aws.limits import LIMITS
from sls_ml.provider.aws.render import render
from sls_ml.provider.aws.sources import requirements, sources
from sls_ml.spec.model import ProviderName

NAME: Final[ProviderName] = "aws"

__all__ = ["LIMITS", "NAME", "connect", "operate", "render", "requirements", "sources"]
