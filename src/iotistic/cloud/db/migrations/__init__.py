"""The migrations: numbered, never edited once released."""
