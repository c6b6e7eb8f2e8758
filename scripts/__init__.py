"""Programs and helpers for people who work on the project."""
