"""The Review pages in parts; docs/architecture.md says what is where."""
