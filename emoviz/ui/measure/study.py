"""The WikiArt study's page in parts: what is compared, the run, what came out."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from emoviz.analysis.metrics import METRICS
from emoviz.analysis.resampling import share
from emoviz.checkpoints import Checkpoint, list_checkpoints
from emoviz.data.reading import SAMPLE
from emoviz.experiments.wikiart import CHECKPOINTS, Study, load_study, table_rows
from emoviz.plots.study import study_maps
from emoviz.review.acquire import list_gathered, works_table
from emoviz.settings import Settings
from emoviz.ui import access, background, tables
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.gallery import Tile, gallery
from emoviz.ui.linked import linked_choice
from emoviz.ui.measure import numbers
from emoviz.ui.review import blind
from emoviz.ui.review.collections import distinct
from emoviz.ui.words import counted, plain, readable

FEWEST = 20
_FILES = {"table.md": "text/markdown", "maps.png": "image/png", "strip.png": "image/png"}


def choose_collection(settings: Settings) -> tuple[str, str]:
    """Name and path of the images."""
    found = {SAMPLE: "Sample images"}
    hidden = blind.hidden_tables(settings)
    for item in list_gathered(settings):
        if item.request is not None and len(item.ready) >= FEWEST:
            if str(works_table(settings, item.request.name).absolute()) in hidden:
                continue
            found[item.request.name] = readable(item.request.title or item.request.name)
    found = distinct(found)
    name = linked_choice("Images", found, "paintings", width=320)
    path = SAMPLE if name == SAMPLE else str(works_table(settings, name).absolute())
    return name, path


def choose_pair(settings: Settings, preferred: Checkpoint) -> tuple[Checkpoint, Checkpoint] | None:
    """Baseline and model, which know the same emotions; None where there are no two."""
    every = [item for item in list_checkpoints(settings)[0] if _feels(item)]
    names = preferred.card.taxonomy.names if _feels(preferred) else None
    groups = [item for item in every if names is None or item.card.taxonomy.names == names]
    if len(groups) < 2:
        return None
    titles = {item.card.id: f"{readable(item.card.title)} ({item.card.id})" for item in groups}
    by_id = {item.card.id: item for item in groups}
    first = CHECKPOINTS[0] if CHECKPOINTS[0] in by_id else groups[-1].card.id
    one = linked_choice("Baseline", titles, "baseline", first, width=320)
    rest = {key: title for key, title in titles.items() if key != one}
    second = preferred.card.id if preferred.card.id in rest else next(iter(rest))
    other = linked_choice("With the loss", rest, "model", second, width=320)
    return by_id[one], by_id[other]


def folder_of(settings: Settings, name: str, pair: Sequence[Checkpoint]) -> Path:
    """Where this study is kept."""
    marks = [f"{item.card.id}-{item.card.weights_sha256[:8]}" for item in pair]
    return settings.home / "studies" / "-".join([name, *marks])


def run_or_wait(
    settings: Settings, name: str, path: str, pair: tuple[Checkpoint, Checkpoint], folder: Path
) -> None:
    """A button that starts the study, or how far it is."""
    key = f"study {folder.name}"
    state = background.outcome(settings, key)
    if state == "live":
        background.watch(settings, key)
        return
    if state == "ended":
        background.explain(settings, key)
    if not access.allowed("compute"):
        return
    again = (folder / "table.json").is_file()
    st.button(
        "Run it again" if again else "Run the study",
        icon=":material/play_arrow:",
        type="secondary" if again else "primary",
        help="Each image passes both networks once; what is known is not computed again.",
        on_click=_begin,
        args=(settings, name, path, pair, folder, key),
    )


def result(settings: Settings, folder: Path, model: Checkpoint, name: str) -> None:
    """Maps, table, sentiments, artworks, downloads; a sentence where there is no study yet."""
    study = load_study(folder)
    if study is None:
        st.info(
            "Not run yet for these images and networks. It takes about a minute for a thousand "
            "images, and goes on when you leave the page.",
            icon=":material/science:",
        )
        return
    words = f"{counted(len(study.paths), 'image')}"
    if name == SAMPLE:
        known = {art.sha256 for art in study.sides[0].artworks}
        art = sum(sha256 in known for sha256 in study.sha256)
        words += f" ({counted(art, 'artwork')}; the others are photographs and illustrations)"
    words += f", {counted(len(study.refused), 'file')} could not be read" if study.refused else ""
    st.caption(f"{words}. Maps with seed {study.seed}.")
    _maps(study, model)
    _numbers(study)
    _strip(study, model, settings)
    _downloads(folder)


def _maps(study: Study, model: Checkpoint) -> None:
    st.header("How the two see the images", anchor=False)
    figure = study_maps(study, model.card.taxonomy)
    st.plotly_chart(figure, key="study-maps", config={"displaylogo": False})
    st.caption(
        "Each point is an image, placed by UMAP of the network's inner vector u and coloured by "
        "the emotion that the model estimates; stars are the sample's artworks. Regions of one "
        "colour are emotions that the network tells apart (dissertation, Figures 5.7 and 5.8). "
        + " ".join(plain(side.note) for side in study.sides if side.note)
    )


def _numbers(study: Study) -> None:
    st.header("How often the two most probable emotions are opposite", anchor=False)
    tables.show(pd.DataFrame(table_rows(study)), "study-rates", index=False)
    _, low, high = study.difference
    sure = "which these images do not tell from zero" if low <= 0 <= high else "beyond chance"
    value, least, most = (
        f"{100 * x:+.1f}".replace("-", "\N{MINUS SIGN}") for x in study.difference
    )
    st.markdown(
        f"Without a threshold the model's rate lies **{value} points** from the baseline's "
        f"(95 % interval {least} to {most}), {sure}. The dissertation's rows (Table 5.11) "
        "come from 3,176 paintings and networks trained on 118,000 photographs: compare the "
        "direction, not the numbers. A lower rate is not better by itself: a network that always "
        "names the same two emotions has a rate of 0."
    )
    rows = []
    for side in study.sides:
        shown = {f"estimate {name}": _told(v, len(study.paths)) for name, v in side.shares.items()}
        if side.unlike is not None:
            shown["unlike training"] = _told(side.unlike, len(study.paths))
        if side.people:
            count = round(side.people["count"])
            shown["sentiment as people said"] = _told(side.people["right"], count)
            shown["always the commoner one"] = _told(side.people["commonest"], count)
        rows.append({"network": side.checkpoint, **shown})
    tables.show(pd.DataFrame(rows), "study-networks", index=False)


def _told(value: float, count: int) -> str:
    """A share of images with its interval and their number."""
    return numbers.on_images(share(round(value * count), count), METRICS["accuracy"])


def _strip(study: Study, model: Checkpoint, settings: Settings) -> None:
    before, after = study.sides
    if not after.artworks:
        return
    st.header("The sample's artworks", anchor=False)
    pictures = Pictures(settings).get_many(art.sha256 for art in after.artworks)
    colours = {item.name: item.colour for item in model.card.taxonomy.classes}
    tiles = [
        Tile(
            pictures.get(art.sha256),
            readable(art.title),
            f"{art.predicted} {100 * art.probability:.0f} % "
            f"(baseline: {was.predicted} {100 * was.probability:.0f} %)",
            colours.get(art.predicted, ""),
        )
        for was, art in zip(before.artworks, after.artworks, strict=True)
    ]
    gallery(
        tiles, "study-strip", "The sample's artworks with the estimates", side=150, form="strip"
    )
    st.caption(
        "The model's estimate of the emotion that each evokes, with its probability, and the "
        "baseline's (as Figure 5.6 shows case by case)."
    )


def _downloads(folder: Path) -> None:
    with st.container(horizontal=True):
        for name, kind in _FILES.items():
            file = folder / name
            if file.is_file():
                st.download_button(name, file.read_bytes(), name, kind, icon=":material/download:")


@access.acts("compute")
def _begin(
    settings: Settings,
    name: str,
    path: str,
    pair: tuple[Checkpoint, Checkpoint],
    folder: Path,
    key: str,
) -> None:
    command = ["experiment", "wikiart", "--data", path, "--checkpoints"]
    command += [str(item.folder) for item in pair]
    command += ["--out", str(folder)]
    background.begin(settings, f"The WikiArt study of {name}", command, key)


def _feels(item: Checkpoint) -> bool:
    """Whether it speaks of positive and negative emotions; the measure needs both."""
    signs = item.card.taxonomy.signs
    return bool((signs > 0).any() and (signs < 0).any())
