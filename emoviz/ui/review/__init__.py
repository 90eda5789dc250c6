"""The Review pages in parts.

::

    people     who is here, and what they may do
    queue      which collection, in which order, what is left out; all of it in the link
    desk       the component: one artwork large, keys, nothing lost however fast
    decide     what the browser said -> facts in the store -> what stands on the desk next
    telling    a work and its estimate in the words that the desk shows
    beside     pictures and heat maps, made in threads while people look
    alike      works that are alike in feeling
    sitting    the desk on the page, in a fragment of its own
    starting   what is missing and what to do
    taking     what goes home
    wall       the Overview page: the collection as a wall of pictures
    agreement  the Overview page: who agrees with whom, and which works divide people
"""
