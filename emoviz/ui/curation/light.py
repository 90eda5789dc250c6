"""Light and colour by class: which emotions are just darkness?"""

import pandas as pd
import streamlit as st

from emoviz.curation.checks import LOOKS
from emoviz.curation.telling import light_words
from emoviz.plots.curation import light_by_class
from emoviz.ui import tables
from emoviz.ui.curation.subject import CurationSubject
from emoviz.ui.linked import linked_choice
from emoviz.ui.words import plain, readable

_MEANT = {
    "brightness": "0 black to 1 white",
    "contrast": "standard deviation of brightness, 0 to 0.5",
    "saturation": "0 grey to 1 pure colours",
    "colourfulness": "0 grey, about 0.4 very colourful",
    "warmth": "red minus blue, -1 to 1",
}


def show(subject: CurationSubject) -> None:
    """The affective gap in one chart, and the numbers behind it."""
    assert subject.found is not None
    classes = subject.found["classes"]
    st.markdown(
        "If the dark pictures are the sad ones, a network may learn to see darkness instead of "
        "sadness. The left side shows how the classes differ in one measure; the right side how "
        "often light and colour **alone** find the class of an image that was not learned from."
    )
    st.markdown(f"**{plain(light_words(classes))}**")
    words = {name: f"{name} ({_MEANT[name]})" for name in LOOKS}
    measure = linked_choice("Measure", words, "look", "brightness", width=380)
    total = sum(classes["all"].values()) or 1
    guess = classes["by_looks_alone"]
    figure = light_by_class(
        classes["looks"][measure]["quartiles"],
        guess["recall"] if guess else {},
        {name: count / total for name, count in classes["all"].items()},
        subject.labelled.taxonomy.colours,
        measure,
    )
    st.plotly_chart(
        figure,
        key="datasets-light",
        config={"displaylogo": False},
        alt=f"{measure} by class, and how often light and colour alone find each class",
    )
    st.caption(
        "Left: half of a class's images lie on the bar, the dot is the median. Right: bars beyond "
        "the upright mark, which is the class's share of all images, are classes that light and "
        "colour give away. A set without that gap would have all bars at their marks."
    )
    rows = {
        name: {
            "variance between the classes %": round(100 * found["explained"], 1),
            **{readable(c): q[1] for c, q in found["quartiles"].items() if q},
        }
        for name, found in classes["looks"].items()
    }
    with st.expander("Medians of all measures", icon=":material/table:"):
        tables.show(pd.DataFrame(rows).T, "datasets-medians")
        st.caption(
            "The first column says how much of a measure's variance lies between the classes (eta "
            "squared): 0 % where the classes are alike in it."
        )
