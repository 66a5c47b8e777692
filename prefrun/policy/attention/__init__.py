"""Attention along the paths of trees that share a row. See `prefrun.policy.trie` for the row."""
