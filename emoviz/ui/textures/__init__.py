"""The page that says why: regions, style or content, textures, what if.

::

    subject   the image that is asked about, and the one beside it
    asking    explanations, computed once and kept                   (torch comes in here, late)
    regions   heat maps over the image, and whether they mean anything
    parts     the logits in parts, for an image and for a collection
    collection
              parts and Gram matrices of a whole collection, read in the background
    grams     Gram matrices as heat maps, and how unlike two images are
    pictures  texture pictures, made in a process of their own
    nearby    same style beside same feeling
"""
