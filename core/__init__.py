"""The engine: imaging, data, training, inference and the catalog, with no Qt anywhere in it."""

__version__ = "0.1.0"

RESEARCH_ONLY = "Research use only. Not a medical device."
