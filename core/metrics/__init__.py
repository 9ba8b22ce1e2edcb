"""How good answers are, whatever was learned: figures, curves, calibration, intervals and paired tests; numpy only.

`figures` modules take whole splits, never batches: an AUROC of batches is none of the whole.
"""
