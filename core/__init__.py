"""The engine: imaging, data, training, inference and the catalog, with no Qt anywhere in it."""

import logging
import os
import warnings

__version__ = "0.1.0"

RESEARCH_ONLY = "Research use only. Not a medical device."

# They log and warn of values out of headers, patients' names among them; our own errors say what is wrong.
for _library in ("pydicom", "highdicom"):
    logging.getLogger(_library).addHandler(logging.NullHandler())
    logging.getLogger(_library).propagate = False  # a level would not do: the library sets its own when imported
    warnings.filterwarnings("ignore", module=rf"{_library}(\.|$)")

# Before torch is loaded: its threads wait for each other asleep. Spinning, as they do otherwise, they take the cores
# from one another as soon as anything else runs, and a training step takes many times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
