"""LCPO: learning from preferences whose labels may be wrong."""
