"""Where things live and how much is allowed: read once from the environment.

Every setting is an environment variable with the prefix ``EMOVIZ_``; ``docs/settings.md``
describes each, and a test holds that none is left out.
"""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, get_args

from emoviz.errors import SettingsError

Device = Literal["auto", "cpu", "cuda"]
ServeIiif = Literal["local", "all", "off"]
_CHOICES: tuple[tuple[str, ...], ...] = (get_args(Device), get_args(ServeIiif))
PACKAGE = Path(__file__).resolve().parent
# app.py, pages, checkpoints and sample_data: inside an installed package, else beside it.
_INSTALLED = PACKAGE / "shipped"
PROJECT_ROOT = _INSTALLED if _INSTALLED.is_dir() else PACKAGE.parent


def _default_home() -> Path:
    try:
        return Path.home() / ".emoviz"
    except RuntimeError:  # a container's user without a home
        return Path(tempfile.gettempdir()) / "emoviz"


@dataclass(frozen=True)
class Settings:
    """What may differ from one installation to the next.

    Attributes:
        home: Folder for everything that the app writes (``EMOVIZ_HOME``).
        device: ``auto`` takes a CUDA GPU where there is one, else the CPU (``EMOVIZ_DEVICE``).
        max_file_mb: An image file above this many megabytes is refused (``EMOVIZ_MAX_FILE_MB``).
        max_megapixels: An image above this many million pixels is refused, whatever its file's
            size (``EMOVIZ_MAX_MEGAPIXELS``).
        max_archive_mb: A ZIP is refused once its members unpack to more than this
            (``EMOVIZ_MAX_ARCHIVE_MB``).
        max_images: At most this many images out of one folder or ZIP on the pages
            (``EMOVIZ_MAX_IMAGES``).
        threads: Processor threads for a network on the CPU; 0 takes every core
            (``EMOVIZ_THREADS``).
        readers: Processes that read and augment images while a whole network is trained; 0 reads
            between the steps, -1 takes one on a CPU and up to eight for a GPU
            (``EMOVIZ_READERS``).
        save_seconds: A training keeps its state at least this often, and after epochs of five
            seconds and more (``EMOVIZ_SAVE_SECONDS``).
        database_url: Where reviews are stored, ``postgresql://user:password@host/name`` or
            ``sqlite:///path``; a file in the home where empty (``EMOVIZ_DATABASE_URL``).
        managers: Who manages once they are logged in, with commas between them: verified addresses
            of electronic mail, or issuer and subject with a space between the two
            (``EMOVIZ_MANAGERS``).
        paths: Folders below which paths may be named on the pages, separated as in ``PATH``; empty
            for any while one person works at this machine, and for none otherwise
            (``EMOVIZ_PATHS``).
        serve_iiif: Whom the app serves the reviews as IIIF: ``local`` this machine alone, ``all``
            everybody who reaches it, ``off`` nobody (``EMOVIZ_SERVE_IIIF``).
        iiif_origins: Origins of web pages that may read it besides, with commas between them, such
            as a viewer's ``http://localhost:4444`` (``EMOVIZ_IIIF_ORIGINS``).
    """

    home: Path = field(default_factory=_default_home)
    device: Device = "auto"
    max_file_mb: float = 200.0
    max_megapixels: float = 120.0
    max_archive_mb: float = 2000.0
    max_images: int = 2000
    threads: int = 0
    readers: int = -1
    save_seconds: float = 60.0
    allow_private_urls: bool = False
    fetch_pause: float = 0.25
    database_url: str = field(default="", repr=False)  # may hold a password
    managers: str = ""
    paths: str = ""
    serve_iiif: ServeIiif = "local"
    iiif_origins: str = ""

    @property
    def user_checkpoints(self) -> Path:
        """Checkpoints that this person trained or brought in."""
        return self.home / "checkpoints"

    @property
    def shipped_checkpoints(self) -> Path:
        """Checkpoints that come with the project."""
        return PROJECT_ROOT / "checkpoints"

    @property
    def sample_data(self) -> Path:
        """Images that come with the project."""
        return PROJECT_ROOT / "sample_data"

    @property
    def path_folders(self) -> tuple[Path, ...]:
        """The folders of `paths`, with links followed."""
        named = filter(None, map(str.strip, self.paths.split(os.pathsep)))
        return tuple(Path(item).expanduser().resolve() for item in named)

    @property
    def runs(self) -> Path:
        """One folder for each training run."""
        return self.home / "runs"


def python_path() -> str:
    """PYTHONPATH for processes of our own: the package may run without being installed."""
    return os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))


def variable_names() -> dict[str, str]:
    """Map each field of `Settings` to its environment variable."""
    return {item.name: f"EMOVIZ_{item.name.upper()}" for item in fields(Settings)}


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment.

    Args:
        environment: Variables to read instead of the process's own.

    Returns:
        The settings, with defaults for what is not set.

    Raises:
        SettingsError: A value is not of its kind or out of its range.
    """
    values = os.environ if environment is None else environment
    defaults = Settings()
    given = {
        name: _parse(variable, values[variable], getattr(defaults, name))
        for name, variable in variable_names().items()
        if values.get(variable, "").strip()
    }
    return Settings(**given)  # type: ignore[arg-type]


def _parse(variable: str, text: str, default: object) -> object:
    if isinstance(default, Path):
        return Path(text).expanduser()
    if default == "":
        return text.strip()
    if isinstance(default, str):
        choices = next(kind for kind in _CHOICES if default in kind)
        return _one_of(variable, text.strip().lower(), choices)
    if isinstance(default, bool):
        return _yes_or_no(variable, text.strip().casefold())
    kind = type(default)
    try:
        number = kind(text)  # type: ignore[call-arg]
    except ValueError:
        raise SettingsError(
            f"{variable} is '{text}'; it must be a number like {default}."
        ) from None
    least = min(0, float(default))  # type: ignore[arg-type]
    if number < least or (number == 0 and default > 0):  # type: ignore[operator]
        raise SettingsError(f"{variable} is {text}; it must be positive, like {default}.")
    return number


def _yes_or_no(variable: str, text: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text not in words:
        raise SettingsError(f"{variable} is '{text}'; it must be true or false.")
    return words[text]


def _one_of(variable: str, text: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        raise SettingsError(f"{variable} is '{text}'; it must be one of {', '.join(allowed)}.")
    return text
