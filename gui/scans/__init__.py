"""The Scans page: a place to drop scans, the viewer, and what is open beside it."""
