"""Shape a language model's personality, measure whether it worked, and see why."""
