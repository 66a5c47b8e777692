"""APO: Nesterov momentum over iterative preference optimization."""
