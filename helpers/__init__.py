"""The tested functions that the course's notebooks import.

Importing this package loads nothing else: each notebook imports the modules it needs.
"""
