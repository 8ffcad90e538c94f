"""Your own code around the predictions of `$function`: sls-ml writes this file once and never changes it."""


def before(rows: list[dict]) -> list[dict]:
    """Change the rows before they are checked against the model's signature, such as deriving a feature.

    Args:
        rows: The rows of one request or one part of a batch, as they came: input name to value.

    Returns:
        As many rows, in the same order.
    """
    return rows


def after(result: dict) -> dict:
    """Change the answer, such as turning a probability into a decision.

    Args:
        result: ``{"model", "digest", "label": [...], "probability": [[...]], ...}``, one entry per row.

    Returns:
        What the caller gets, and what must be possible in JSON.
    """
    return result
