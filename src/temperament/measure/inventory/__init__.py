"""Inventories: statements that a subject rates as descriptions of itself, and what the ratings are worth."""
