"""The neutral deployment: which functions, grants and buckets a project needs, and why."""

from sls_ml.intent.build import build
from sls_ml.intent.model import Deployment

__all__ = ["Deployment", "build"]
