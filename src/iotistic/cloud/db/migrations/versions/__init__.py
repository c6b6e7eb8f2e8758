"""One module a revision; its name begins with its number."""
