"""MEND: a small network that learns to turn the gradient of an example into an edit."""
