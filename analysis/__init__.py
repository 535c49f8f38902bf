"""Readers and figures for the results files of GaisNet."""
