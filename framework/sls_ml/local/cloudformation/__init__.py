"""CloudFormation of the embedded cloud.

moto's own was tried and left: it skips the types that we need in silence, drops properties, and has no
rollback. Here the template is carried out through the AWS API of the embedded cloud itself, as the resource
handlers of CloudFormation do, behind the same CloudFormation calls.
"""

from sls_ml.local.cloudformation.table import not_emulated

__all__ = ["not_emulated"]
