"""Pictures: pure functions that take arrays and return a figure."""
