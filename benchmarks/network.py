"""What three Gram modules and the projection cost: against the plain backbone with a classifier.

    python benchmarks/network.py [--rounds 9]

Eager torch, float32, batch 32, EfficientNet-Lite2 at 260 pixels. Wanted: at most 1.06 times the
forward time.
"""

import argparse

import torch
from _timing import alternate, milliseconds, report

from emoviz.memory import keep_large_blocks
from emoviz.models.network import EmotionNetwork, NetworkConfig


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    keep_large_blocks()
    gram = EmotionNetwork(NetworkConfig("tf_efficientnet_lite2", 8, layers=(1, 2, 3))).eval()
    plain = EmotionNetwork(NetworkConfig("tf_efficientnet_lite2", 8, layers=())).eval()
    images = torch.randn(32, 3, 260, 260)

    def run(network: EmotionNetwork) -> None:
        with torch.inference_mode():
            network(images)

    ours, theirs = alternate(lambda: run(gram), lambda: run(plain), rounds)
    report("forward with 3 Gram modules against the plain backbone", "at most 1.06", ours, theirs)
    print(f"  with {milliseconds(ours)}, without {milliseconds(theirs)} a batch of 32")


if __name__ == "__main__":
    main()
