"""A texture picture: seconds, and the share spent outside the network's forward and backward.

    python benchmarks/texture.py [--checkpoint mikels8] [--size 224] [--steps 200]

Wanted: at most 15 % outside. The same passes (forward to the deepest layer, Gram matrices, loss,
backward to the pixels) are made bare, in turn with the synthesis, in blocks of ten steps; the share
is of processor time, so that other programs do not count.
"""

import argparse
import statistics
import time
from itertools import islice

import numpy as np
import torch

from emoviz.checkpoints import open_checkpoint
from emoviz.data.images import open_image
from emoviz.inference.explainer import Explainer, load_explainer
from emoviz.inference.texture import gram_loss, synthesise
from emoviz.inference.texture_pictures import square_of
from emoviz.memory import keep_large_blocks
from emoviz.models.gram import gram_matrix
from emoviz.settings import load_settings

BLOCK = 10


def bare_passes(explainer: Explainer, image: np.ndarray, goal: list[torch.Tensor]) -> None:
    for _ in range(BLOCK):
        x = explainer.to_input(image[None]).requires_grad_()
        grams = [gram_matrix(F) for F in explainer.maps(x, explainer.gram_layers)]
        torch.autograd.grad(gram_loss(grams, goal), x)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="mikels8")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    keep_large_blocks()
    settings = load_settings()
    checkpoint = open_checkpoint(arguments.checkpoint, settings)
    explainer = load_explainer(checkpoint, settings)
    sample = settings.sample_data / "images" / "vangogh_church_at_auvers.jpg"
    image = square_of(open_image(sample.read_bytes()).pixels, checkpoint, arguments.size)
    with torch.no_grad():
        maps = explainer.maps(explainer.to_input(image[None]), explainer.gram_layers)
        goal = [0.9 * gram_matrix(F) for F in maps]
    bare_passes(explainer, image, goal)
    steps = synthesise(explainer, image, steps=arguments.steps)
    ours, bare, waited = [], [], 0.0
    for _ in range(0, arguments.steps, BLOCK):
        began, wall = time.process_time(), time.perf_counter()
        loss = list(islice(steps, BLOCK))[-1].loss
        waited += time.perf_counter() - wall
        ours.append(time.process_time() - began)
        began = time.process_time()
        bare_passes(explainer, image, goal)
        bare.append(time.process_time() - began)
    outside = [1 - b / a for a, b in zip(ours, bare, strict=True)]
    print(f"{arguments.size} pixels, {arguments.steps} steps: {waited:.1f} s, loss {loss:.3g}")
    print(
        f"outside forward and backward: {100 * statistics.median(outside):.0f} % (median of "
        f"{len(outside)} blocks; in all {100 * (1 - sum(bare) / sum(ours)):.0f} %; "
        "wanted at most 15 %)"
    )


if __name__ == "__main__":
    main()
