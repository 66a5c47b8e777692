"""SparsePO: token-level preference optimization with sparse masks."""
