# Set-up, checks and the demo. The two commands to know: `make demo` and `make test`.
PYTHON ?= python3.11
BIN := .venv/bin
LOCK := .ci/requirements.txt
export ORT_DISABLE_TELEMETRY := 1

.PHONY: help demo test check lint types layers fresh unit regen lock bench-coldstart bench-warm bench-artifacts sweep clean

help:            ## list the targets
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/'

.venv/ready: $(LOCK) .ci/uv.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r .ci/uv.txt
	$(BIN)/uv pip sync --quiet --python .venv --require-hashes $(LOCK)
	$(BIN)/uv pip install --quiet --python .venv --no-deps --no-build-isolation --editable .
	@touch $@

demo: .venv/ready ## deploy samples/breast-cancer to the embedded cloud, send a request, score a file
	@PATH=$(CURDIR)/$(BIN):$$PATH KEEP=$(KEEP) samples/breast-cancer/demo.sh

test: .venv/ready ## run all tests
	$(BIN)/python -m pytest -n 2

check: lint types layers fresh unit ## what to run before each commit

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready
	$(BIN)/mypy

layers: .venv/ready
	$(BIN)/lint-imports

fresh: .venv/ready ## generated code and artifacts of the samples are what their sources say
	$(BIN)/python .ci/samples.py check
	$(BIN)/python .ci/docs.py check

unit: .venv/ready
	$(BIN)/python -m pytest -n 2 -q tests/unit

regen: .venv/ready ## write the samples' artifacts and handlers, and the golden files, again
	$(BIN)/python .ci/samples.py write
	$(BIN)/python .ci/docs.py write
	SLS_ML_REGEN=1 $(BIN)/python -m pytest -q tests -k golden

bench-coldstart: .venv/ready ## hold cold starts to their bars: docs/benchmarks.md
	$(BIN)/python benchmarks/coldstart.py

bench-warm: .venv/ready ## hold warm requests to their bars
	$(BIN)/python benchmarks/warm.py
	$(BIN)/python benchmarks/warm_forms.py

bench-artifacts: .venv/ready ## hold sizes of artifacts, conversion and session start to their bars
	$(BIN)/python benchmarks/artifacts.py
	$(BIN)/python benchmarks/artifacts.py sizes

sweep: .venv/ready ## convert every scikit-learn estimator and write docs/estimators.md
	$(BIN)/python benchmarks/sweep.py

lock: ## renew the locked dependencies (without torch and CUDA); run sweep and test afterwards
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra local --extra sklearn --group dev --generate-hashes \
	    --no-annotate --custom-compile-command "make lock" --upgrade pyproject.toml --output-file $(LOCK)
	grep -A 40 '^uv==' $(LOCK) | awk 'NR==1 || /^ /{print} NR>1 && /^[a-z]/{exit}' > .ci/uv.txt

clean:
	rm -rf .venv samples/*/.sls-ml
