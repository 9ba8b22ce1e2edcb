"""Objectives of pretraining by name: one file each. What one has to give is in `core.tasks.pretraining.objective`."""
