"""Request dialects: one module each, chosen by the table of routes."""
