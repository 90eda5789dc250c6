"""Curation: labelled sets examined, cleaned, filtered and split before anything is trained on them.

examined.py    one row an image: what it looks like, text, faces; kept as Parquet
examine.py     a set looked at once
checks.py      the registry of what may be wrong: one entry a fault, a score an image
findings.py    what they found, with balance, light and colour
recipe.py      what a preparation recipe may say
prepare.py     a recipe applied: the same result on any machine
export.py      CSV, folders of images, Croissant
"""
