"""Tables: a dropped table looked at, its columns mended, trained on and predicted row by row."""
