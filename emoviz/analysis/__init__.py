"""Measures over arrays. No networks, no screens."""
