"""Losses of segmentation, found by name: each is a registered configuration whose `build` makes the torch module.

A loss takes logits (B, classes, x, y, z) and class indices (B, 1, x, y, z) and gives a scalar. Class weights stand
background first and are given to `build`; voxels of the class IGNORED are left out where `ignore` says there are any.
"""
