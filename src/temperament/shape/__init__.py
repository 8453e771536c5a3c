"""Ways to shape: one file a method, and the trainer that they share."""
