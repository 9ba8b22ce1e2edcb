"""Networks, one file each; a network is its registered configuration with a `build` method."""
