"""The models that can be predicted with: their cards, import, export and removal."""
