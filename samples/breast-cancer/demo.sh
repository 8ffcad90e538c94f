#!/usr/bin/env bash
# The main job on the embedded cloud: deploy, ask, score a file. KEEP=1 leaves the cloud running.
set -euo pipefail
cd "$(dirname "$0")"

run() {
    printf '\n\033[1m$ %s\033[0m\n' "$*"
    "$@"
}

finish() {
    if [ -n "${KEEP:-}" ]; then
        printf '\nThe embedded cloud goes on running; end it with: sls-ml local down --project %s\n' "$PWD"
    else
        run sls-ml local down
    fi
}
trap finish EXIT

run sls-ml deploy --stage local
run sls-ml invoke predict --stage local --sample 2
run sls-ml score score incoming.csv --stage local --out .sls-ml/scored
run head -n 5 .sls-ml/scored/part-00000.csv
run cat .sls-ml/scored/rejected/part-00000.jsonl
