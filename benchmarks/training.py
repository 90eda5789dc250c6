"""Training a whole network: the engine against the shortest correct loop of plain PyTorch.

    python benchmarks/training.py [--rounds 3] [--images 192] [--size 224] [--backbone NAME]

Both train the same network with three Gram modules and the contrastive-center loss for an epoch,
input included: JPEG files, random resized crop and mirror image, bfloat16, channels-last, AdamW,
clipping, torch's data loader with as many workers. The loop is what a good user would write. The
images are those of sample_data, repeated. Wanted: at least 1.0 times its images a second on a CPU
and 1.3 on a GPU. On a GPU, images a second of training and inference with and without Gram
modules are printed too.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from _timing import alternate, report, seconds
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from emoviz.data.reading import read_labelled
from emoviz.memory import keep_large_blocks
from emoviz.models.losses import ContrastiveCenterLoss
from emoviz.models.network import EmotionNetwork, NetworkConfig
from emoviz.settings import load_settings
from emoviz.training.loop import train
from emoviz.training.prepare import Worker, prepare
from emoviz.training.recipe_loading import read_recipe
from emoviz.training.state import Training

RECIPE = """
taxonomy: mikels8
network: {{backbone: {backbone}, pretrained: false}}
input: {{size: {size}}}
loss: {{beta: 0.5}}
data: {{validation: 0.0, test: 0.1}}
augment: {{scale: 0.08}}
phases: [{{train: all, epochs: 1, batch: 32, learning_rate: 1e-3, schedule: constant}}]
"""


class Images(Dataset[tuple[Tensor, int]]):
    """The plain loop's data set."""

    def __init__(self, files: list[Path], labels: list[int], size: int) -> None:
        self.files, self.labels = files, labels
        self.transform = v2.Compose(
            [
                v2.RandomResizedCrop(size, interpolation=v2.InterpolationMode.BICUBIC),
                v2.RandomHorizontalFlip(),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize([0.5] * 3, [0.5] * 3),
            ]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        image = Image.open(self.files[i]).convert("RGB")
        return self.transform(image), self.labels[i]


def plain_epoch(network: EmotionNetwork, images: Images, workers: int, device: str) -> None:
    """What a good user would write."""
    network.to(device).to(memory_format=torch.channels_last).train()
    network.backbone.eval()  # as the engine: the statistics of batch normalisation are kept
    criterion = ContrastiveCenterLoss(8, network.width).to(device)
    parameters = [*network.parameters(), *criterion.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=1e-3)
    single = len(images) % 32 == 1  # batch normalisation needs two
    pin = device == "cuda"
    loader = DataLoader(
        images, 32, shuffle=True, drop_last=single, num_workers=workers, pin_memory=pin
    )
    for batch, labels in loader:
        batch = batch.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)
        labels = labels.to(device, non_blocking=True)
        with torch.autocast(device, dtype=torch.bfloat16):
            out = network(batch)
        terms = criterion(out.embedding.float(), labels)
        loss = F.cross_entropy(out.logits.float(), labels) + 0.5 * (terms.intra + terms.inter)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimiser.step()
    if device == "cuda":
        torch.cuda.synchronize()


def repeated_table(folder: Path, count: int) -> tuple[Path, list[Path], list[int]]:
    """A table with the sample images again and again, under names of their own."""
    labelled = read_labelled(load_settings().sample_data / "labels.csv")
    lines, files, labels = ["file,label"], [], []
    for i in range(count):
        record = labelled.records[i % len(labelled.records)]
        file = folder / f"{i}.jpg"
        file.symlink_to(record.path)
        lines.append(f"{file.name},{labelled.taxonomy.names[record.label]}")
        files.append(file)
        labels.append(record.label)
    table = folder / "labels.csv"
    table.write_text("\n".join(lines) + "\n")
    return table, files, labels


def gpu_rates(backbone: str, size: int, rounds: int) -> None:
    """Images a second on a GPU, from memory, with and without Gram modules."""
    images = torch.randn(128, 3, size, size, device="cuda")
    images = images.contiguous(memory_format=torch.channels_last)
    for layers in ((), (1, 2, 3)):
        network = EmotionNetwork(NetworkConfig(backbone, 8, layers)).cuda()
        network.to(memory_format=torch.channels_last)
        optimiser = torch.optim.SGD(network.parameters(), lr=1e-3)

        def infer(network: EmotionNetwork = network) -> None:
            with torch.inference_mode(), torch.autocast("cuda", dtype=torch.bfloat16):
                network.eval()(images)
            torch.cuda.synchronize()

        def learn(
            network: EmotionNetwork = network, optimiser: torch.optim.Optimizer = optimiser
        ) -> None:
            with torch.autocast("cuda", dtype=torch.bfloat16):
                loss = network.train()(images).logits.float().logsumexp(1).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            torch.cuda.synchronize()

        for name, action in (("inference", infer), ("training", learn)):
            print(f"{backbone} at {size}, {len(layers)} Gram modules, {name}: {rate(action)}")


def rate(action: Callable[[], None], batch: int = 128) -> str:
    """Images a second, the best of ten after a warm-up."""
    action()
    return f"{batch / min(seconds(action) for _ in range(10)):.0f} images/s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=192)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--backbone", default="tf_efficientnet_lite2")
    options = parser.parse_args()
    keep_large_blocks()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    workers = 8 if device == "cuda" else 1
    recipe = read_recipe(RECIPE.format(backbone=options.backbone, size=options.size))
    with tempfile.TemporaryDirectory() as folder:
        table, files, labels = repeated_table(Path(folder), options.images)
        prepared = prepare(recipe, [str(table)], lambda line: None, Worker(device, workers))
        rows = prepared.rows_of_split("train")
        kept = [int(files.index(prepared.targets.records[i].path)) for i in rows]
        images = Images([files[i] for i in kept], [labels[i] for i in kept], options.size)
        made: list[Training] = []
        for _ in range(options.rounds + 1):
            made.append(prepared.training(rows, rows[:0])[0])
        plain = EmotionNetwork(NetworkConfig(options.backbone, 8))
        ours, theirs = alternate(
            lambda: list(train(made.pop())),
            lambda: plain_epoch(plain, images, workers, device),
            options.rounds,
        )
        wanted = "at least 1.3" if device == "cuda" else "at least 1.0"
        report(f"images a second, {device}, engine against the plain loop", wanted, theirs, ours)
        print(f"  {len(rows) / min(ours):.1f} and {len(rows) / min(theirs):.1f} images/s at best")
    if device == "cuda":
        gpu_rates("tf_efficientnetv2_s", 224, options.rounds)


if __name__ == "__main__":
    main()
