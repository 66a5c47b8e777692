"""Draws completions from a model: a decoding loop whose rows come and go. Imports torch."""
