"""The one record type, its readers and its converters. Standard library only at import."""
