"""The host's training loop and what it lends to algorithms. Imports torch."""
