"""Rigid and affine registration: `register.register` finds how a scan lies on another, `apply` resamples it there."""
