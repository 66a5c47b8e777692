def report_section(directory, folder):
    return None
