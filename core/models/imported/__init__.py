"""Networks that only imported models have: known by name, not offered for training."""
