"""Importers: one file a published set, all to one form, `LabelledSet` of `Record`."""
