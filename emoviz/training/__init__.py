"""Training: a recipe, labelled sets, a run folder, a checkpoint.

recipe.py     what can be set, validated with line numbers
targets.py    labelled sets -> shares, bridges, single classes, sample weights
views.py      images -> augmented views
features.py   features of a frozen backbone, computed once and kept
loop.py       train() yields one EpochResult after another
finish.py     calibration, novelty, measures, card
run.py        the run folder
"""
