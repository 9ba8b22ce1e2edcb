"""The Train page: an experiment's form, the check of its data, the engine's thread and the live dashboard."""
