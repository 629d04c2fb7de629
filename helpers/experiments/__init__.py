"""The definitions of the full runs: a file for each chapter, and their table by name."""
