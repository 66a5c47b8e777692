def run_section(d, f):
    return None
