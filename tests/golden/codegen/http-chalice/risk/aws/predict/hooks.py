"""Your own code around the predictions of `predict`. sls-ml wrote this file once and never changes it.

Define one or both of the functions below; without them nothing is called and no time is lost. The file is
imported at every start: whatever is imported here is part of the cold start.

    def before(rows: list[dict]) -> list[dict]:
        '''Change rows before they are checked against the model: derive a feature, rename a field.

        A row is what the caller sent, input name to value. In a batch it has all columns of the file, the
        model's own as values and the others as text, and there must be as many rows after as before.
        '''
        return [row | {"ratio": row["part"] / row["whole"]} for row in rows]

    def after(result: dict) -> dict:
        '''Change the answer: turn a probability into a decision, add a field.

        `result` is {"model", "digest", "classes", "label": [...], "probability": [[...]]} or {"value": [...]}
        and so on, one entry per row. In a batch changed values are written; columns stay the model's.
        '''
        return result | {"label": ["yes" if p[1] >= 0.3 else "no" for p in result["probability"]]}
"""
