"""Subjects: models that can be asked."""
