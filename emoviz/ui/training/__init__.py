"""The pages Retrain and Runs in parts.

sets.py       what the labelled set holds that is learned from
choices.py    what is trained and how, with what it will cost
work.py       runs and sweeps as jobs of one queue: start, pause, finish, cancel, resume
watching.py   a run at work or done: curves, centers, the map that moves
sweeps.py     what is varied, and a sweep's table and parallel coordinates
run_table.py  all runs: curves laid over, differences, notes, delete and undo
promotion.py  a run's network among the checkpoints, its card, its files
"""
