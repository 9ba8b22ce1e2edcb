"""Encoders of stays by name: one file each, with its settings; the torch modules are in `core.models.nets.stays`."""
