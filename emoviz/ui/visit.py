"""What one visitor sees: the menu, grouped as the folders of ``pages/`` are, and the page.

The server does not import it: a browser that opens at once fetches its scripts meanwhile.
"""

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from emoviz.ui import access, language, privacy, shell
from emoviz.ui.language import plural, tr
from emoviz.ui.review import people
from emoviz.ui.turns import TURNS
from emoviz.ui.workspace import frame


def pages() -> dict[str, list[StreamlitPage]]:
    """The menu: a section for each folder of ``pages/``."""
    return {
        tr("Predict"): [
            st.Page(
                "pages/predict/classify.py",
                title=tr("Classify"),
                icon=":material/image_search:",
                help=tr("Drop images and read which emotions the model estimates that they evoke."),
                default=True,
            ),
            st.Page(
                "pages/predict/textures.py",
                title=tr("Textures"),
                icon=":material/texture:",
                help=tr("Why the network says so: regions, style or content, textures, what if."),
            ),
        ],
        tr("Explore"): [
            st.Page(
                "pages/explore/embeddings.py",
                title=tr("Embeddings"),
                icon=":material/scatter_plot:",
                help=tr("A map of images as the network sees them."),
            ),
            st.Page(
                "pages/explore/centers.py",
                title=tr("Class centers"),
                icon=":material/hub:",
                help=tr("How far apart the network holds the emotions."),
            ),
        ],
        tr("Measure"): [
            st.Page(
                "pages/measure/evaluate.py",
                title=tr("Evaluate"),
                icon=":material/straighten:",
                help=tr("How often the network is right, where it fails, and whether it knows."),
            ),
            st.Page(
                "pages/measure/compare.py",
                title=tr("Compare"),
                icon=":material/compare_arrows:",
                help=tr("Is one network better than another on the same images?"),
            ),
            st.Page(
                "pages/measure/study.py",
                title=tr("WikiArt study"),
                icon=":material/science:",
                help=tr("Two networks on paintings, as in the dissertation."),
            ),
        ],
        tr("Review"): [
            st.Page(
                "pages/review/collections.py",
                title=tr("Collections"),
                icon=":material/collections:",
                help=tr("Artworks from a museum's IIIF address, a folder, a ZIP or a table."),
            ),
            st.Page(
                "pages/review/artworks.py",
                title=tr("Artworks"),
                icon=":material/palette:",
                help=tr("Go through a collection by keys and say where the model is right."),
            ),
            st.Page(
                "pages/review/overview.py",
                title=tr("Overview"),
                icon=":material/dashboard:",
                help=tr("What people and the model say of a collection, and where they differ."),
            ),
        ],
        tr("Train"): [
            st.Page(
                "pages/train/datasets.py",
                title=tr("Data sets"),
                icon=":material/dataset:",
                help=tr(
                    "Bring labelled images in, see what is wrong with them, clean and split them."
                ),
            ),
            st.Page(
                "pages/train/retrain.py",
                title=tr("Retrain"),
                icon=":material/model_training:",
                help=tr("Teach a network with labelled images of your own, and watch it learn."),
            ),
            st.Page(
                "pages/train/runs.py",
                title=tr("Runs"),
                icon=":material/list_alt:",
                help=tr("All trainings: compare them, keep a network, delete."),
            ),
        ],
    }


def visit() -> None:
    """One run for one visitor: who they are, the menu, the page."""
    shell.configure()
    settings = shell.settings()
    admitted = settings is not None and people.admitted(settings)
    menu = pages()
    if settings is not None and shell.reviews(settings):  # theirs first, who have artworks here
        menu = {tr("Review"): menu.pop(tr("Review")), **menu}
    page = st.navigation(
        menu,
        position="sidebar" if admitted else "hidden",
        expanded=True,  # else half of the pages stand behind "View more"
    )
    shell.entitle(page.title)
    if settings is not None and admitted:
        context = shell.start(settings)
        with st.sidebar:
            privacy.offer(settings)
            frame()
        language.speak(page in menu[tr("Review")])
        access.run(page)
        shell.warm(context)
    # At its very end a run that was overtaken would make Streamlit forget each fragment that it has
    # not drawn, those of the other run too: a task's progress would then stand still for good.
    still_wanted()


def tell_the_crowd(ahead: int) -> None:
    """Say why a page takes long, where many were asked for at once."""
    language.begin()
    st.toast(
        plural(
            "Many people are at work here. {count} page comes before yours.",
            "Many people are at work here. {count} pages come before yours.",
            ahead,
        ),
        icon=":material/groups:",
        duration="long",
    )


def still_wanted() -> None:
    """Where another run has overtaken this one, it ends here: Streamlit looks at each access."""
    _ = "overtaken" in st.session_state


def run() -> None:
    """A visit, when its turn has come."""
    with TURNS.turn(still_wanted, tell_the_crowd):
        visit()
