"""The window: shows what core does, and imports core, never the other way round."""
