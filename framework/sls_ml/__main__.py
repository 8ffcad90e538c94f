"""`python -m sls_ml` is `sls-ml`."""

from sls_ml.cli.main import main

main()
