def comparison_section(d, f):
    return None
