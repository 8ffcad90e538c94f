"""sls-ml.yaml: what it may say, read and checked."""

from sls_ml.spec.model import LOCAL_STAGE, Project
from sls_ml.spec.read import SPEC_FILE, declared_stages, read
from sls_ml.spec.schema import json_schema

__all__ = ["LOCAL_STAGE", "SPEC_FILE", "Project", "declared_stages", "json_schema", "read"]
