"""The torch modules behind the configurations in core.models, where a library's own network is not enough."""
