"""Reading activations, and statistics of units that stream."""
