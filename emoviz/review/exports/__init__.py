"""Taking a collection home: one module a form, and the door to them all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from emoviz.errors import ReviewError
from emoviz.plugins import Registry
from emoviz.review.exports.catalogue import write_catalogue
from emoviz.review.exports.iiif import write_manifest, write_page, write_site
from emoviz.review.exports.imagefolder import Placing, write_folder
from emoviz.review.exports.lido import write_lido
from emoviz.review.exports.linkedart import write_linked_art
from emoviz.review.exports.material import Material, Progress, gather, nobody
from emoviz.review.exports.spoken import ENGLISH, Spoken
from emoviz.review.exports.spreadsheet import write_csv
from emoviz.review.exports.webannotation import write_annotations
from emoviz.review.exports.wikimedia import read_terms, write_commons, write_quickstatements
from emoviz.review.model import ArtworkCollection, EstimateSet
from emoviz.review.store import ReviewStore
from emoviz.review.transfer import write_export
from emoviz.settings import Settings


@dataclass(frozen=True)
class Form:
    """One form of export.

    Attributes:
        title: For people.
        suffix: How its file ends.
        mime: Its type.
        write: Writes the material to the path, whole or not at all, and gives the number of works;
            None of the forms that need more than that.
    """

    title: str
    suffix: str
    mime: str
    write: Callable[[Material, Path], int] | None = None


_OWN: Mapping[str, Form] = {
    "csv": Form("Table for spreadsheets (CSV)", ".csv", "text/csv"),
    "json": Form("Everything, to bring in elsewhere (JSON)", ".json", "application/json"),
    "w3c": Form("W3C Web Annotations (JSON-LD)", ".jsonld", "application/ld+json"),
    "iiif": Form("IIIF 3 annotation page", ".json", "application/json"),
    "manifest": Form("The IIIF manifest with its annotations", ".json", "application/json"),
    "iiif-zip": Form("Manifests and annotations for a web server (ZIP)", ".zip", "application/zip"),
    "linked-art": Form("Linked Art (JSON-LD)", ".jsonld", "application/ld+json", write_linked_art),
    "lido": Form("LIDO 1.0 (XML)", ".xml", "application/xml", write_lido),
    "quickstatements": Form("Wikidata QuickStatements", ".txt", "text/plain"),
    "commons": Form("Table for Wikimedia Commons (CSV)", ".csv", "text/csv", write_commons),
    "imagefolder": Form(
        "Folder of images, one sub-folder a label (ZIP)", ".zip", "application/zip"
    ),
    "html": Form("Printable catalogue (HTML)", ".html", "text/html"),
}


def _check(form: Form) -> None:
    if form.write is None:
        raise ValueError("it has no write")


FORMS = Registry("emoviz.exporters", Form, _OWN, _check)


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: The file or folder.
        count: Of what `what` names.
        what: ``rows``, ``decisions``, ``annotations``, ``images``, ``statements`` or ``works``.
        left_out: (work, reason) of works that are not there, or not whole.
    """

    path: Path
    count: int
    what: str
    left_out: tuple[tuple[str, str], ...] = ()


def export(
    store: ReviewStore,
    settings: Settings,
    collection: ArtworkCollection,
    form: str,
    out: Path,
    known: EstimateSet | None = None,
    base: str = "",
    placing: Placing = "copy",
    tell: Progress = nobody,
    terms: str = "",
    spoken: Spoken = ENGLISH,
) -> Exported:
    """Write a collection in one of the `FORMS`, whole or not at all.

    Args:
        store: Where it is.
        settings: Caps on images, where thumbnails and manifests are, thresholds of checkpoints.
        collection: Which.
        form: One of `FORMS`.
        out: File; for ``imagefolder`` a folder, or a ZIP that holds it. A file that is there is
            replaced.
        known: Whose estimates; the newest where None. ``json`` takes all of them. Under blind
            review there are none, whoever asks.
        base: For the forms of IIIF: http(s) address where the files will be published.
        placing: For ``imagefolder``: ``copy`` or ``link``.
        tell: Called with (done, all) as works are written; ``json`` is written in one go.
        terms: For ``quickstatements``: see `emoviz.review.exports.wikimedia.read_terms`.
        spoken: The language of pages for people.

    Raises:
        ReviewError: There is no such form, or it cannot be made of this collection.
        PluginError: The form is a plug-in's and failed.
        OSError: The disk is full or closed; what was there stays.
    """
    if form not in FORMS:
        raise ReviewError(f"There is no export '{form}'; wanted one of {', '.join(FORMS)}.")
    if form == "json" and collection.name in store.blind_collections():
        raise ReviewError(
            f"'{collection.title}' is under blind review, and this form holds all estimates. Lift "
            "the blind review first, or take another form, which then has the decisions alone."
        )
    if form == "json":
        return Exported(out, write_export(store, collection, out), "decisions")
    wanted = read_terms(terms) if form == "quickstatements" else None
    material = gather(store, collection, known, tell, spoken)
    if form == "csv":
        return Exported(out, write_csv(material, out, settings), "rows")
    if (write := FORMS[form].write) is not None:
        count = FORMS.guarded(form, lambda: write(material, out))
        return Exported(out, count, "works")
    if wanted is not None:
        what, (count, left_out) = "statements", write_quickstatements(material, out, wanted)
    else:
        what, (count, left_out) = _written(material, settings, form, out, base, placing)
    return Exported(out, count, what, tuple(left_out))


def _written(
    material: Material, settings: Settings, form: str, out: Path, base: str, placing: Placing
) -> tuple[str, tuple[int, list[tuple[str, str]]]]:
    if form == "w3c":
        return "annotations", write_annotations(material, out)
    if form == "iiif":
        return "annotations", write_page(material, out, base)
    if form == "manifest":
        return "annotations", write_manifest(material, settings, out, base)
    if form == "iiif-zip":
        return "annotations", write_site(material, settings, out, base)
    if form == "imagefolder":
        return "images", write_folder(material, settings, out, placing)
    return "works", write_catalogue(material, settings, out)
