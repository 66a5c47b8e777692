"""Comparison of runs: a row per configuration, statistics over seeds, paired tests, writers."""
