"""The comparison as one self-contained HTML page: what it holds, and how it is put together."""
