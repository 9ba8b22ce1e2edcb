"""Scans on disk <-> `Volume`: one reader, one transform rule and one writer for the whole program."""
