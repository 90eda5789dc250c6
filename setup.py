"""What pyproject.toml cannot say: two sizes out of one list, and the app's files in the package.

A checkout keeps app.py, pages, checkpoints and sample_data beside the package; a wheel holds them
as ``emoviz/shipped``, where `emoviz.settings.PROJECT_ROOT` finds them.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
STATEMENTS = ("docs/privacy.md", "docs/accessibility.md", "docs/glossary.md")  # shown in the app
IN_LANGUAGES = ("docs/lt", "docs/de", "docs/fr")  # the same
SHIPPED = ("app.py", "pages", ".streamlit/config.toml", "sample_data", *STATEMENTS, *IN_LANGUAGES)
# The ones that pages ask for by name come first. An index takes files of up to 100 MB; what
# does not fit comes with a checkout alone.
CHECKPOINTS = ("mikels8", "mikels8-baseline", "emotion6", "faces7", "sadness2")
MOST_BYTES = 90_000_000


def requirements(part: str) -> list[str]:
    """The lines of requirements.txt below ``# [part]``, up to the next such heading."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    lines = text.split(f"# [{part}]", 1)[1].split("# [", 1)[0].splitlines()[1:]
    return [line for line in lines if line and not line.startswith("#")]


def shipped_checkpoints() -> list[str]:
    """Checkpoints in the wheel: in their order, as long as they fit."""
    chosen: list[str] = []
    room = MOST_BYTES
    for name in CHECKPOINTS:
        folder = ROOT / "checkpoints" / name
        room -= sum(file.stat().st_size for file in folder.glob("*"))
        if room < 0:
            break
        if folder.is_dir():
            chosen.append(name)
    return chosen


class WithTheApp(build_py):
    """The package, and the files that stand beside it in a checkout."""

    def run(self) -> None:
        """Build as setuptools does; then copy what is shipped."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "emoviz", "shipped")
        shutil.rmtree(target, ignore_errors=True)
        for name in (*SHIPPED, *(f"checkpoints/{name}" for name in shipped_checkpoints())):
            source, place = ROOT / name, target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, place)


setup(
    cmdclass={"build_py": WithTheApp},
    install_requires=requirements("core"),
    extras_require={
        "train": requirements("train"),
        "ray": ["ray>=2.9"],
        "mlflow": ["mlflow-skinny>=3.2"],
        "wandb": ["wandb>=0.19"],
    },
)
