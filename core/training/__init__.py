"""Builds the Trainer from an experiment, runs it under control, and keeps what it makes."""
