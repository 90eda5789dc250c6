"""Images and tables as they come in: decoding with caps, sources, records, splits."""
