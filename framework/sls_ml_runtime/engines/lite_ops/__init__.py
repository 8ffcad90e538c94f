"""The operations of the lite engine: each builds a step, with its constants bound, that runs on one row."""
