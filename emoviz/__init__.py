"""emoviz: which emotion does an image evoke, and why does the network say so?"""

__version__ = "0.1.0"
