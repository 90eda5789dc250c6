"""Images through a checkpoint: engines, predictions, and the table of embeddings.

Importing this package imports neither torch nor ONNX Runtime; the engine that is chosen does.
"""
