"""Small generated data sets with exact judges, for experiments on a laptop."""
