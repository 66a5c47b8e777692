"""The jobs of a sweep: what makes two of them the same, and who works on which."""
