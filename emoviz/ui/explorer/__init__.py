"""The explorer of embeddings, in parts.

::

    points     what lies on a map                                   (no Streamlit)
    colouring  by what it can be coloured                           (no Streamlit)
    taking     a selection as CSV, JSON or a list of files          (no Streamlit)
    linking    a selection as a part of the link                    (no Streamlit)
    pictures   thumbnails for elements that run again by themselves  (no Streamlit)
    metrics    accuracy, ARI, AMI, NMI, ASR of one view or two
    controls   collection, second checkpoint, kind of map, colours
    sources    what can be explored, and ways to bring in more
    maps       maps out of the store, drawn in the background
    placing    new images among the others
    scene      all of it as one map on the page
    board      what was selected, and one image by itself
"""
