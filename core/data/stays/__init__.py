"""Stays: irregular series of measurements with facts about the patient; read, checked, and laid onto a grid of hours."""
