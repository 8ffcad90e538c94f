"""The embedded cloud: what `--stage local` deploys to."""
