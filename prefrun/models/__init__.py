"""Model kinds: what a model is to the trainer, whatever its branches are."""
