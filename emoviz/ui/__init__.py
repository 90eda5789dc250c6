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
    background a job on a page: progress, estimate, stop
    linked     a picker whose choice is in the link
    serve      starts the server
    map        the map component: points, lasso, linked panels
    gallery    a wall of pictures that are buttons
    explorer   the Embeddings page in parts
    centers    the Class centers page in parts
    textures   the Textures page in parts
    review     the Review pages in parts
    whatif     an image changed by hand, and the estimate beside it
    why        from any image to the page that says why (why_button: the button)
"""
