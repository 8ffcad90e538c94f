"""What runs inside a deployed function: the standard library alone, engines load their library late."""
