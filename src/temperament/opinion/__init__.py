"""Opinion QA: rows, splits, formats, the shipped data."""
