"""A subject's risk from MRI, PET and clinical values: given in any part, answered with an interval and its reasons."""
