"""An environment that holds what `pip install emoviz` brings and nothing else, torch least of all.

Made of links to the packages that are installed here, so that it costs no download.
"""

import re
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from importlib.metadata import PackageNotFoundError as NotInstalled
from pathlib import Path

from emoviz.settings import PROJECT_ROOT

EXTRA = ("torch", "torchvision", "timm", "captum", "accelerate", "onnxscript", "rapidocr", "dlib")


def core_requirements() -> list[str]:
    """Lines of the last part of requirements.txt."""
    text = (PROJECT_ROOT / "requirements.txt").read_text(encoding="utf-8")
    return [line for line in text.split("# [core]", 1)[1].splitlines()[1:] if line.strip()]


def make(folder: Path) -> Path:
    """The environment's Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name, place in _entries(_closure(core_requirements())).items():
        (site / name).symlink_to(place)
    return folder / "bin" / "python"


def _closure(wanted: list[str]) -> list[Distribution]:
    found: dict[str, Distribution] = {}
    while wanted:
        line = wanted.pop()
        name = re.split(r"[\s\[<>=!~;(]", line, maxsplit=1)[0].lower().replace("_", "-")
        extras = re.findall(r"\[(.*?)\]", line)
        if name in found and not extras:
            continue
        try:
            found[name] = distribution(name)
        except NotInstalled:  # for another system or Python
            continue
        for needed in found[name].requires or []:
            extra = re.search(r"extra == ['\"](.+?)['\"]", needed)
            if extra is None or any(extra[1] in given for given in extras):
                wanted.append(needed)
    return list(found.values())


def _entries(packages: list[Distribution]) -> dict[str, Path]:
    """What stands in site-packages: folders and modules, by name."""
    tops = {}
    for package in packages:
        for file in package.files or []:
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not top.endswith(".pth"):
                tops[top] = Path(str(package.locate_file(top)))
    return tops
