"""Lenses: what an edit changes inside a model, what that writes, and whether it is the cause."""
