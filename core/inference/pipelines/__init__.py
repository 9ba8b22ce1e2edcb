"""How scans are prepared for models of other programs, and their answers brought back, as those programs do it.

A pipeline is kept in the package's manifest; a package without one goes the usual way (core.data.prepare).
"""
