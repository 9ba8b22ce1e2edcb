"""Networks for tables, one file each: they take a matrix of numbers and one of codes, and give one row of outputs.

The settings in `SEARCHED` are those that a search tries, each with the values that it takes.
"""
