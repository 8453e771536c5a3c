"""Edits: what is done to a subject, and how it is kept."""
