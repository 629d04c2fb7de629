"""What the exercises' checks ask: a file for each chapter."""
