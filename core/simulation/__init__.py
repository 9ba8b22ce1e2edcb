"""Simulated cohorts with a known truth, from a seed: the test bed of methods whose real data may not be passed on."""
