"""Cohorts: subjects with an MRI, a PET, clinical values and a score, read from a table and checked as a whole."""
