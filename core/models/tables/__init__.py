"""Networks for tables, one file each: they take a matrix of numbers and one of codes, and give one row of outputs."""
