"""Stays: the measurements of a patient over time, and a model's answer as it grows with them."""
