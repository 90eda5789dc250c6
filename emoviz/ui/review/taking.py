"""What goes home: exports in every form, and a labelled set with one press. For managers."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from emoviz import jobs
from emoviz.data.library import free_id
from emoviz.errors import EmovizError
from emoviz.files import replaced_file
from emoviz.review import ReviewStore
from emoviz.review.exports import FORMS, export
from emoviz.review.labelling import Rule, make_set
from emoviz.settings import Settings
from emoviz.ui import access, background
from emoviz.ui.language import marked, marked_forms, moment, number, plural, spoken, tr
from emoviz.ui.review.queue import Chosen
from emoviz.ui.words import plain, told

# Works of which an export is written while one waits; with pictures it takes twenty times as long.
AT_ONCE, AT_ONCE_PICTURES = 5000, 300
_PICTURES = ("html", "imagefolder", "iiif-zip", "manifest")
_PUBLISHED = ("iiif", "manifest", "iiif-zip")
# What `export` counts -> how many of it there are.
_COUNTED: Mapping[str, tuple[str, str]] = {
    "rows": marked_forms("{count} row.", "{count} rows."),
    "decisions": marked_forms("{count} decision.", "{count} decisions."),
    "annotations": marked_forms("{count} annotation.", "{count} annotations."),
    "images": marked_forms("{count} image.", "{count} images."),
    "statements": marked_forms("{count} statement.", "{count} statements."),
    "works": marked_forms("{count} work.", "{count} works."),
}
_TOLD = 10  # works between two words on how far it is
_RULES: dict[Rule, str] = {
    "majority": marked("the emotion that most people named"),
    "shares": marked("the shares of people's votes"),
}


@access.offers("export")
def show(store: ReviewStore, chosen: Chosen, settings: Settings) -> None:
    """Exports beside the labelled set; under blind review the decisions alone."""
    st.header(tr("Take it home"), anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**{tr('For other systems')}**")
        _export(store, chosen, settings)
    with right:
        st.markdown(f"**{tr('For training and evaluation')}**")
        if chosen.blind:
            st.caption(tr("A labelled set can be made once the blind review is lifted."))
        else:
            _labelled(store, chosen, settings)


@st.fragment  # the wall and the agreement above cost seconds, an export a fraction of one
@access.offers("export")
def _export(store: ReviewStore, chosen: Chosen, settings: Settings) -> None:
    """At once where a collection is small, in a job of its own where it is large."""
    form = st.selectbox(
        tr("Form"), list(FORMS), format_func=lambda name: tr(FORMS[name].title), key="export-form"
    )
    form = form or "csv"
    base = terms = ""
    if form in _PUBLISHED:
        base = st.text_input(
            tr("Where it will be published"),
            key="export-base",
            placeholder="https://museum.example/feelings",
            help=tr(
                "IIIF names everything by addresses on the web; left empty, by this machine's."
            ),
        ).strip()
    if form == "quickstatements":
        terms = st.text_area(
            tr("Which property and items of Wikidata are meant?"),
            key="export-terms",
            placeholder="property = P...\nawe = Q...\nfear = Q...",
            help=tr("Wikidata has none of its own for the emotion that a work evokes."),
        )
    most = min(AT_ONCE, AT_ONCE_PICTURES) if form in _PICTURES else AT_ONCE
    if store.counts(chosen.collection.id).works > most:
        _later(chosen, settings, form, base, terms)
    elif st.button(tr("Prepare the download"), icon=":material/inventory_2:", key="export-make"):
        bar = st.progress(0.0, tr("Writing"))
        try:
            file, words = _written(store, chosen, settings, form, base, terms, bar)
        except (EmovizError, OSError) as error:
            st.error(told(error), icon=":material/error:")
            return
        finally:
            bar.empty()
        _offer(file, form, words)


def _written(
    store: ReviewStore,
    chosen: Chosen,
    settings: Settings,
    form: str,
    base: str,
    terms: str,
    bar: DeltaGenerator,
) -> tuple[Path, str]:
    """The file, and what is in it."""
    out = _file(chosen, settings, form)

    def tell(done: int, total: int) -> None:
        if done % _TOLD == 0:
            words = plural(
                "{done} of {count} work", "{done} of {count} works", total, done=number(done)
            )
            bar.progress(done / max(total, 1), words)

    done = export(
        *(store, settings, chosen.collection, form, out, chosen.estimates),
        base=base,
        terms=terms,
        tell=tell,
        spoken=spoken(),
    )
    return out, _words(done.count, done.what, len(done.left_out))


def _later(chosen: Chosen, settings: Settings, form: str, base: str, terms: str) -> None:
    """A button that starts it, how far it is, and what was written last."""
    out, key = _file(chosen, settings, form), f"export {chosen.collection.uid} {form}"
    state = background.outcome(settings, key)
    if state == "live":
        background.watch(settings, key, "export")
        return
    if state == "ended":
        background.explain(settings, key)
    done = state == "done" and out.is_file()
    st.button(
        tr("Prepare it again") if done else tr("Prepare the download"),
        icon=":material/inventory_2:",
        key="export-make",
        on_click=_begin,
        args=(chosen, settings, form, out, key, base, terms),
        help=tr("A large collection takes a while; you may leave the page meanwhile."),
    )
    job = jobs.find(settings, key)
    if done and job is not None and job.progress.result is not None:
        result = job.progress.result
        words = _words(int(result["count"]), str(result["what"]), int(result["left_out"]))
        made = tr("As of {moment}.", moment=moment(datetime.fromtimestamp(job.started)))
        _offer(out, form, f"{words} {made}")


@access.acts("export")
def _begin(
    chosen: Chosen, settings: Settings, form: str, out: Path, key: str, base: str, terms: str
) -> None:
    command = ["review", "export", chosen.collection.name, "--as", form, "--out", str(out)]
    command += ["--language", spoken().name]
    if chosen.estimates is not None:
        command += ["--checkpoint", chosen.estimates.checkpoint]
    command += [f"--base={base}"] if base else []
    if terms:
        file = out.with_suffix(".terms")
        with replaced_file(file) as aside:
            aside.write_text(terms, encoding="utf-8")
        command += ["--terms", str(file)]
    what = tr("Export of {title}", title=chosen.collection.title)
    background.begin(settings, what, command, key)


def _file(chosen: Chosen, settings: Settings, form: str) -> Path:
    name = f"{chosen.collection.name}-{form}{FORMS[form].suffix}"
    return settings.home / "exports" / name


def _words(count: int, what: str, left_out: int) -> str:
    words = plural(*_COUNTED[what], count)
    if not left_out:
        return words
    return f"{words} {plural('{count} work left out.', '{count} works left out.', left_out)}"


def _offer(file: Path, form: str, words: str) -> None:
    st.download_button(
        tr("Download {file}", file=file.name),
        file.read_bytes,  # once it is pressed
        file.name,
        FORMS[form].mime,
        icon=":material/download:",
        on_click="ignore",
        type="primary",
    )
    place = tr("It also lies in {folder}.", folder=plain(str(file.parent)))
    st.caption(f"{words} {place}")


@access.offers("export")
def _labelled(store: ReviewStore, chosen: Chosen, settings: Settings) -> None:
    rule = st.selectbox(
        tr("Each work gets"),
        list(_RULES),
        format_func=lambda name: tr(_RULES[name]),
        key="set-rule",
    )
    title = tr("{title}, reviewed", title=chosen.collection.title or chosen.collection.name)
    if not st.button(tr("Make a labelled set of it"), icon=":material/dataset:", key="set-make"):
        st.caption(tr("Training and evaluation take it as it is, with where it came from."))
        return
    try:
        made = make_set(
            store,
            settings,
            chosen.collection,
            free_id(settings, title),
            title,
            rule,
            chosen.estimates,
        )
    except (EmovizError, OSError) as error:
        st.warning(told(error), icon=":material/error:")
        return
    st.success(
        plural(
            "{count} labelled image in the library as {name}.",
            "{count} labelled images in the library as {name}.",
            made.count,
            name=f"`{made.id}`",
        ),
        icon=":material/check_circle:",
    )
