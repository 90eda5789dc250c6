"""What the pages share: session state, widgets, cards. The only package that knows Streamlit.

::

    words      a prediction in plain sentences, graded by how certain it is      (no Streamlit)
    results    one row of the page; flags, order, filter                         (no Streamlit)
    cards      results as HTML                                                   (no Streamlit)
    card_page  a checkpoint's card as HTML                                       (no Streamlit)
    export     results as CSV and JSON                                           (no Streamlit)
    style      the style sheet of all of them
    workspace  images and predictions of one session; they outlive a page
    models     networks, loaded once and warmed
    samples    the gallery that comes with the project
    shell      page config, the sidebar with the checkpoint picker
    intake     the ways in: files, folder, ZIP, samples, deep link
    running    predicting what waits, with progress and a stop
    board      the results: overview, refusals, cards, downloads
"""
