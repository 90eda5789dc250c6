"""The networks and the loss (PyTorch, channels first: N, C, H, W).

Nothing is imported here, so that a page or command that only predicts need not wait for torch.
"""
