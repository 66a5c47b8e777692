"""Whole runs with every plugin installed."""
