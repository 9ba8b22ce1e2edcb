"""Clinical tables: reading them, saying what their columns are, finding what is wrong, and making numbers of them."""
