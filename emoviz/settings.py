"""Where things live and how much is allowed: read once from the environment.

Every setting is an environment variable with the prefix ``EMOVIZ_``.
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
PACKAGE = Path(__file__).absolute().parent
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

    Each is a variable ``EMOVIZ_`` and its name in capitals; the table of docs/settings.md is made
    of what follows (``python docs/hooks.py``).

    Attributes:
        home: Folder for everything that emoviz writes: trained checkpoints and runs; `tables`,
            `maps` and `vectors` of the Embeddings page (beside a table of 50,000 rows or more lies
            a hidden `.arrow` file, made of it again where it is missing); `text_towers` (where the
            folder of a CLIP is that a network was made of); `jobs`; `sets` (the library of labelled
            sets), `examinations` of them with what was decided by hand, `sent` (tables that came
            through the browser); `collections` (what was fetched for each), `studies`; and what is
            computed again where it is missing, so that it may be deleted while nothing runs:
            `embeddings`, `thumbnails.sqlite`, `frequencies.sqlite`, `files.sqlite`, and
            `cache/features`, which training fills with gigabytes. (Weights that timm fetches from a
            model hub lie in that hub's own cache.)
        device: `auto` takes a CUDA GPU where one answers, else the processor; `cpu` or `cuda`
            insist.
        max_file_mb: An image file above this many megabytes is refused before it is read.
        max_megapixels: An image above this many million pixels is refused before it is unpacked,
            however small its file. Unpacking takes up to about 16 bytes a pixel.
        max_archive_mb: A ZIP whose images would unpack to more than this many megabytes is refused.
        max_images: At most this many images of one folder or ZIP on the pages. The command line has
            no such limit.
        threads: Processor threads for the network; 0 takes one for each core that the process may
            use.
        readers: Processes that read and augment images while a whole network is trained; 0 reads
            between the steps, -1 takes one on a CPU and up to eight for a GPU.
        save_seconds: A training keeps its state at least this often (and after epochs of five
            seconds and more), so that a killed one goes on from there.
        allow_private_urls: Whether manifests and images may be fetched from this machine and from
            private networks, such as a museum's own IIIF server in the house. Without it only the
            open internet is asked, and only where a person gave an address.
        fetch_pause: Seconds between two requests to one server.
        database_url: Where collections and decisions of reviews are stored:
            `postgresql://user:password@host/name` for several people on several machines, or
            `sqlite:////path/to/file`. Not set, it is the file `review.sqlite` in the home. The
            database must exist; its tables are made and kept up to date at the first use.
        managers: Who manages once they are logged in, with commas between them: verified mail
            addresses (`ona@museum.example`), or issuer and subject with a space between the two
            (`https://login.example 248289761001`). Whoever is taken off the list reviews from their
            next visit on ([docs/rights.md](rights.md)). Without a login the first person who gives
            a name manages.
        paths: Folders below which files and folders of the machine may be named on the pages,
            separated as in `PATH`. Not set, any may be named while the app listens on this machine
            alone and no login is set up, and none otherwise ([docs/rights.md](rights.md)).
        serve_iiif: Whom the app serves the reviews as IIIF while it runs
            ([reviewing.md](reviewing.md#served-as-iiif)): `local` this machine alone, and nobody
            where a login is set up; `all` everybody who reaches the app, names of reviewers and
            their notes included; `off` nobody.
        iiif_origins: Origins of web pages that may read what is served as IIIF, with commas between
            them, such as a viewer's `http://localhost:4444`. Not set, no other page may.
        model_key: For a vision-language model that asks for a key: its address, a space and the
            key (`https://models.example/v1 sk-...`). It is sent to this address alone, by https or
            on this machine, and never written or shown.
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
    model_key: str = field(default="", repr=False)

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
