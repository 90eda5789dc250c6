"""Text filters on photographs of another origin, without words and with words written onto them.

    python benchmarks/text_presence.py FOLDER [--checkpoint DIR...] [--with FOLDER...] [--count 150]
                                       [--networks-only] [--keep DIR]

FOLDER holds photographs without text (look at them first). Each is shown as it is and with one to
three words of random size, colour and slant, so that nothing but the words can tell the two apart;
`--with` adds folders of images that all have text. Prints for rapidocr, as the examination asks it,
and for each checkpoint of the taxonomy text2, how many of each are called text, with Wilson's 95 %
interval. A network that learned where its images came from calls both the same.
"""

import argparse
import io
import random
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from emoviz.analysis.resampling import share_interval
from emoviz.checkpoints import open_checkpoint
from emoviz.curation.checks import FindingLimits as Odd
from emoviz.data.images import Limits, open_image
from emoviz.data.sources import ImageSource, from_bytes, walk_images
from emoviz.inference.detect import text_detector
from emoviz.inference.predict import Model, load_model, predict
from emoviz.settings import load_settings

WORDS = [
    "MUSEUM",
    "OPEN",
    "EXIT",
    "SALE",
    "HOTEL",
    "CAFE",
    "Smoking",
    "Birthday",
    "Wait",
    "Left",
    "STOP",
    "Hours",
    "Welcome",
    "Home",
    "Love",
    "Danger",
    "Station",
    "Gallery",
    "Tickets",
    "Garden",
    "Coffee",
    "Closed",
]
COLOURS = ((255, 255, 255), (0, 0, 0), (250, 220, 40), (200, 20, 20), (30, 60, 160))


def written(image: Image.Image, chance: random.Random) -> Image.Image:
    """The image with words on it, half of the times on a sign of the opposite colour."""
    font = ImageFont.load_default(chance.uniform(0.07, 0.2) * min(image.size))
    text = " ".join(chance.sample(WORDS, chance.choice((1, 1, 2, 3))))
    _, _, right, bottom = font.getbbox(text)
    layer = Image.new("RGBA", (int(right) + 8, int(bottom) + 8), (0, 0, 0, 0))
    colour = chance.choice(COLOURS)
    draw = ImageDraw.Draw(layer)
    if chance.random() < 0.5:
        opposite = tuple(255 - value for value in colour)
        draw.rectangle((0, 0, *layer.size), fill=(*opposite, 255))
    draw.text((4, 4), text, colour, font)
    layer = layer.rotate(chance.uniform(-25, 25), Image.Resampling.BICUBIC, expand=True)
    most = 0.95 * image.width
    if layer.width > most:
        layer = layer.resize((int(most), max(1, int(layer.height * most / layer.width))))
    place = [
        chance.randint(0, max(0, whole - part))
        for whole, part in zip(image.size, layer.size, strict=True)
    ]
    made = image.copy()
    made.paste(layer, tuple(place), layer)
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--checkpoint", nargs="+", default=[], metavar="DIR")
    parser.add_argument("--with", dest="holding", type=Path, nargs="+", default=[])
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--networks-only", action="store_true", help="leave rapidocr out")
    parser.add_argument("--keep", type=Path, help="write the images with words there, to be seen")
    wanted = parser.parse_args()
    settings = load_settings()
    plain = images(wanted.folder, wanted.count)
    chance = random.Random(0)
    sets = {
        "without": plain,
        "words on them": [written(image, chance) for image in plain],
        **{folder.name: images(folder, wanted.count) for folder in wanted.holding},
    }
    if wanted.keep:
        wanted.keep.mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(sets["words on them"]):
            image.save(wanted.keep / f"{number:03}.jpg", quality=90)
    if not wanted.networks_only:
        looking = text_detector(settings)
        least = Odd().text
        read = {w: [looking.look(i).share >= least for i in shown] for w, shown in sets.items()}
        tell("rapidocr", read)
    for name in wanted.checkpoint:
        model = load_model(open_checkpoint(name, settings), settings)
        tell(name, {words: called(model, shown) for words, shown in sets.items()})


def called(model: Model, shown: list[Image.Image]) -> list[bool]:
    """Which images the network calls text."""
    return [found.predicted == "text" for found in predict(model, map(source, shown))]


def source(image: Image.Image) -> ImageSource:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return from_bytes("image", buffer.getvalue())


def images(folder: Path, count: int) -> list[Image.Image]:
    """A random sample of a folder's images, at most 480 pixels wide and high."""
    found = []
    files = sorted(walk_images(folder))
    for file in random.Random(1).sample(files, min(count, len(files))):
        image = open_image(file.read_bytes(), Limits()).pixels
        image.thumbnail((480, 480))
        found.append(image)
    return found


def tell(name: str, sets: dict[str, list[bool]]) -> None:
    """How many of each set are called text."""
    print(name)
    for words, answers in sets.items():
        found, total = sum(answers), len(answers)
        low, high = share_interval(found, total)
        print(
            f"  {words:24} {found:4} of {total:4} called text "
            f"({100 * low:.0f} to {100 * high:.0f} %)",
            flush=True,
        )


if __name__ == "__main__":
    main()
