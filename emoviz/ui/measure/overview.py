"""The first view: headline numbers with intervals, each label's scores, what the seeds print."""

import streamlit as st

from emoviz.settings import Settings
from emoviz.ui import tables
from emoviz.ui.measure import computed, numbers, published
from emoviz.ui.measure.subject import EvaluationSubject
from emoviz.ui.words import plain

_GUIDE = (
    "**Confidence interval**: made so that in 95 of 100 such sets of images it holds the number "
    "that all images of this kind would give; the fewer images, the wider. In simulations 93 to 98 "
    "of 100 did; where a label has hardly an image only 91 to 93 for average precision and recall, "
    "and for clusters, calibration and where hardly an answer is wrong up to all 100, so these are "
    "wider than they must be. **Precision**: when the model names this label, how often is it "
    "right? **Recall**: of the images with this label, how "
    "many does it find? **F1** is both in one. Labels with few images have scores that mean little."
)


def show(item: EvaluationSubject, settings: Settings) -> None:
    """Numbers first, at once; intervals follow as soon as they are computed."""
    judged, asked = item.judged, computed.evaluating(item, settings)
    place, line = st.empty(), st.empty()
    quick = computed.quick_measures(item.key, judged)
    place.html(numbers.tiles(quick, waiting=True))
    line.markdown(numbers.verdict(quick, _answerable(item)))
    values = asked.now()
    if values is None:
        asked.wait("The intervals follow; it takes some seconds, and is kept.")
    else:
        found = computed.estimates(values["intervals"])
        place.html(numbers.tiles(found))
        line.markdown(numbers.verdict(found, _answerable(item)))
    st.header("Each label", anchor=False)
    _classes(item)
    if values is not None:
        with st.expander("All measures", icon=":material/table:"):
            tables.draw(numbers.table(found))
            if (chance := values["clustering"]["nmi_by_chance"]) is not None:
                st.caption(
                    f"NMI would be {chance:.3f} by chance with clusters of these sizes; AMI takes "
                    "that away."
                )
            if (seconds := values["seconds_per_image"]) is not None:
                st.caption(f"An image took {seconds:.3g} s on this machine.")
        _beside(item, found)
    with st.expander("How to read this", icon=":material/help:"):
        st.markdown(_GUIDE)


def _answerable(item: EvaluationSubject) -> int:
    return int(item.judged.bridge.reachable.sum())


def _classes(item: EvaluationSubject) -> None:
    found = computed.by_label(item.key, item.judged)
    st.html(numbers.class_table(found, item.judged.labels.colours))


def _beside(item: EvaluationSubject, found: computed.Measures) -> None:
    rows = published.clustering_rows(item.judged.labels)
    if not rows or not item.judged.bridge.reachable.all():
        return
    with st.expander("Beside the dissertation's Table 5.10", icon=":material/menu_book:"):
        tables.draw(published.clustering_table(rows, found))
        for note in (published.CAUTION, *published.notes(rows)):
            st.caption(plain(note))
