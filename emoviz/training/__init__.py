"""Training: a recipe, labelled sets, a run folder, a checkpoint.

recipe.py     what can be set, validated with line numbers
targets.py    labelled sets -> shares, bridges, single classes, sample weights
views.py      images -> augmented views; features of a frozen backbone, kept in memory
loop.py       train() yields one EpochResult after another
finish.py     calibration, novelty, measures, card
run.py        the run folder
"""
