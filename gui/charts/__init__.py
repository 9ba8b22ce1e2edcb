"""Charts of how good a model is: each shows a dataclass of core.metrics, reads out what is under the pointer."""
