"""A finished run done again: whether its numbers agree, and what differs where they do not."""
