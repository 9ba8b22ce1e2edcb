"""Stays: irregular series of measurements and facts of the patient; read, checked, and laid on a grid of hours."""
