"""The pages that measure, in parts; docs/architecture.md says what is where."""
