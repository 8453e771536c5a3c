"""Judges: models that rate how a reply comes across, and how far each of them can be trusted."""
