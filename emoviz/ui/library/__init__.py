"""What comes in and what is here already, the same on every page.

bring_in.py    the one form: a file, a path, an address, a set of the library; what became of it
set_form.py    what Data sets and Retrain take by it, and what did not fit
sets.py        the picker of labelled sets, removing and taking back
"""
