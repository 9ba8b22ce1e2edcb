"""Objectives: what is hidden of a patch, and so what a network has to put back. A new one is one file."""
