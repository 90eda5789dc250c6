"""Reviewing a collection of artworks with the model: what is known, decided and taken home.

`store` is the door; `facts` says what goes through it. A decision is a fact: it is added, never
changed; a correction and an undo are facts of their own.
"""
