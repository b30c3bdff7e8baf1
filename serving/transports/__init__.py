"""How calls reach the handlers, and how the process is observed."""
