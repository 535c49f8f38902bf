"""Comparing files."""


def same_bytes(*paths):
    """Whether files are the same. (A bare comparison of their bytes takes pytest minutes to explain.)"""
    return len({path.read_bytes() for path in paths}) == 1
