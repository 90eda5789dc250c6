"""What explanations cost: against forward passes of the same torch network.

    python benchmarks/explain.py [--checkpoint mikels8] [--rounds 7]

Wanted: Grad-CAM and the split at most 4 forward passes; integrated gradients with 32 steps at most
1.2 times their forward and backward passes done bare; occlusion in batches of windows quicker than
window by window. Then how much integrated gradients of sample images miss, of their most likely
class.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from _timing import alternate, milliseconds, report

from emoviz.checkpoints import open_checkpoint
from emoviz.data.images import open_image
from emoviz.inference.attribution import (
    BASELINES,
    Baseline,
    grad_cam,
    integrated_gradients,
    occlusion,
)
from emoviz.inference.content_style_split import split
from emoviz.inference.engines import open_engine
from emoviz.inference.explainer import Explainer, load_explainer
from emoviz.memory import keep_large_blocks
from emoviz.settings import load_settings

STEPS, BATCH = 32, 8


def bare_gradients(explainer: Explainer, image: np.ndarray) -> None:
    """Forward and backward passes of as many points, in the same batches."""
    x = explainer.to_input(image[None])
    for start in range(0, STEPS, BATCH):
        shares = torch.arange(start + 1, start + BATCH + 1).view(-1, 1, 1, 1) / STEPS
        points = (shares * x).requires_grad_()
        torch.autograd.grad(explainer.logits(points)[:, 0].sum(), points)


def gaps(explainer: Explainer, folder: Path, baseline: Baseline) -> None:
    """What the heat maps of sample images miss, in logits, and how many points they took."""
    fit, found = explainer.checkpoint.card.preprocessing, []
    for file in sorted(folder.glob("*.jpg"))[::9]:
        image = fit.to_array(open_image(file.read_bytes()).pixels)
        with torch.inference_mode():
            index = int(explainer.logits(explainer.to_input(image[None])).argmax())
        done = integrated_gradients(explainer, image, index, baseline=baseline).completeness
        assert done is not None
        found.append((done.gap, abs(done.difference), done.steps))
    gap, difference, steps = np.array(found).T
    print(
        f"integrated gradients from {baseline}, {len(found)} images: gap median "
        f"{np.median(gap):.3f}, largest {gap.max():.3f} logits, of {np.median(difference):.2f} "
        f"(median); steps {steps.min():.0f} to {steps.max():.0f}, mean {steps.mean():.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="mikels8")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    rounds = arguments.rounds
    keep_large_blocks()
    settings = load_settings()
    checkpoint = open_checkpoint(arguments.checkpoint, settings)
    explainer = load_explainer(checkpoint, settings)
    shape = (explainer.side, explainer.side, 3)
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    layer = explainer.stages[-1]

    def forward() -> None:
        with torch.inference_mode():
            explainer.logits(explainer.to_input(image[None]))

    def gradients() -> None:
        integrated_gradients(explainer, image, 0, STEPS)

    ours, theirs = alternate(lambda: grad_cam(explainer, image, [0], layer), forward, rounds)
    report("Grad-CAM against one forward pass", "at most 4", ours, theirs)
    print(f"  Grad-CAM {milliseconds(ours)}, forward {milliseconds(theirs)}")
    ours, theirs = alternate(lambda: split(explainer, image[None]), forward, rounds)
    report("split against one forward pass", "at most 4", ours, theirs)
    ours, theirs = alternate(gradients, lambda: bare_gradients(explainer, image), rounds)
    report(f"integrated gradients, {STEPS} steps, against bare passes", "at most 1.2", ours, theirs)
    print(f"  integrated gradients {milliseconds(ours)}, bare {milliseconds(theirs)}")
    engine, fit = open_engine(checkpoint, settings), checkpoint.card.preprocessing
    ours, theirs = alternate(
        lambda: occlusion(engine, image, fit),
        lambda: occlusion(engine, image, fit, batch=1),
        max(1, rounds // 3),
    )
    report("occlusion in batches of 16 against window by window", "below 1", ours, theirs)
    print(f"  in batches {milliseconds(ours)}, one by one {milliseconds(theirs)}")
    for baseline in BASELINES:
        gaps(explainer, settings.sample_data / "images", baseline)


if __name__ == "__main__":
    main()
