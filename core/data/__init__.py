"""Data sets: discovery of cases, quality checks, subject-level splits, transforms and data modules."""
