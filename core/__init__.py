"""The engine: imaging, data, training, inference and the catalog, with no Qt anywhere in it."""

import logging

__version__ = "0.1.0"

RESEARCH_ONLY = "Research use only. Not a medical device."

# They log values out of headers, patients' names among them; what is wrong with a file our own errors say.
for _library in ("pydicom", "highdicom"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)
