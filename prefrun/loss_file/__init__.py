"""A loss without a package: one function with type hints in a file, `algo=./my_loss.py`."""
