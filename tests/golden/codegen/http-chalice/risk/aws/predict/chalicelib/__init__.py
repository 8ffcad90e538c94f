"""Modules that Chalice packages beside app.py."""
