"""Training: a recipe, labelled sets, a run folder, a checkpoint.

recipe.py           what can be set
recipe_loading.py   files and --set -> recipes, checked
recipe_checks.py    what does not go together
catalogue.py        what the shipped recipes build
targets.py          labelled sets -> shares, bridges, single classes, sample weights
augmentation.py     images -> augmented views
features.py         features of a frozen backbone, computed once and kept
prepare.py          what every training of a run shares
folder.py           the run folder: its files, its settings, who is at work in it
run.py              one run in its folder: new or resumed, folds, fusions
loop.py             train() yields one EpochResult after another
batches.py          where the batches of a phase come from
micro_batches.py    a batch that does not fit in memory
processes.py        one process, or several that share each batch
state.py            what a killed run must not lose
progress.py         what a run tells while it works
finish.py           calibration, novelty, measures, card
"""
