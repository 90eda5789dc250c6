"""The pages that measure, in parts.

::

    subject      what is measured: a model's answers beside labels, through a bridge
    bridging     which class may be called which label, as ticks that people change
    pairing      several models on the same images; an ensemble
    rivals       another program's predictions, alone or beside a checkpoint
    computed     what the views compute, kept by what it hangs on
    later        what takes seconds, in a thread that outlives a reload
    numbers      measures as words, tiles and tables                     (no Streamlit)
    printed      the seeds' tables that stand beside ours                (no Streamlit)
    matrix       a table whose cells are buttons
    evaluating   the views of one evaluation
    overview     headline numbers with intervals, each label's scores
    confusion    the confusion matrix, whose cells open their images
    curved       ROC, precision and recall
    sentiment    top-2 cross-sentiment over theta
    calibrated   is the network as sure as it is right?
    pictured     mistakes and slices, with their images
    unsure       answers withheld below a threshold, which is kept with the checkpoint
    unlabelled   what needs no labels
    versus       two models on the same images, several runs
    across       checkpoints x sets
    reporting    the report to take home
"""
