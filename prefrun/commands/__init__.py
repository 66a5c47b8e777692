"""prefrun's own words, one module each."""
