"""The commands, one module a noun. Each asks an API, shows the answer, returns an exit code."""
