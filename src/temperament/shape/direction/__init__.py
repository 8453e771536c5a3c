"""Steering vectors: what tells the poles of a trait apart inside a model, added while it replies."""
