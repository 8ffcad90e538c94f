"""Fills a provider's templates into readable function code, writes it, and tells when it is stale."""

from sls_ml.codegen.folder import check, require_fresh, write
from sls_ml.codegen.functions import USERS_OWN, generate

__all__ = ["USERS_OWN", "check", "generate", "require_fresh", "write"]
