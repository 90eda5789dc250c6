"""The Data sets page in parts.

subject.py     which set is looked at: its records, and what an examination found
contents.py    counts by class and split, a wall of pictures, where the set comes from
pictures.py    small pictures of records, one in large, what a person decided about it
examining.py   the examination in the background, and its result in one table
faults.py      one kind of fault with its pictures
light.py       light and colour by class: the affective gap
thresholds.py  text and faces: a threshold with the pictures around it
choices.py     a recipe out of ticks and numbers
preparing.py   what a recipe leaves, what it throws out, and the prepared set
taking.py      tables, folders, Croissant and the data card to take home
"""
