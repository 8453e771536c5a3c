"""Measuring: instruments ask a subject, scorers read what it said."""
