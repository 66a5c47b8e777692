"""One module per record format, each with `from_...(row, id)` and `to_...(tree)`."""
