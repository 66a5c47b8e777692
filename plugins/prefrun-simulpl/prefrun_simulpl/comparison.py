def comparison_section(directories, folder):
    return None
