"""The figures of speed that the program promises: `python -m tests.benchmarks [--json FILE] [--only NAME ...]`."""
