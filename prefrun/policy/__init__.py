"""From trees to log-probabilities and answers. Imports torch."""
