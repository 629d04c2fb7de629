"""What command lines print reaches every terminal."""

import sys


def show_unknown_letters() -> None:
    """Let a terminal show letters that it doesn't know as escapes; else "…" or a name would stop a command.

    Called first by each command line. A terminal of Windows, or one with another encoding than UTF-8,
    then prints ``\\u2026`` where it has no "…".
    """
    for stream in (sys.stdout, sys.stderr):
        # a notebook's or a test's has none, and knows all letters
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
