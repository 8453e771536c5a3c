"""Comparisons with other libraries and with the plain way, side by side in one run: ``make bench``."""
