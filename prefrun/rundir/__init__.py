"""The run directory: every file of a run, each written so that a cut never leaves half of it."""
