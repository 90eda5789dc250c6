"""Pickers whose options may read alike: the key that was chosen is the one that is used."""

from streamlit.testing.v1 import AppTest

from emoviz.ui.linked import told_apart


def test_words_that_are_alike_are_told_apart_by_their_keys() -> None:
    assert told_apart({"a": "One", "b": "Two"}) == {"a": "One", "b": "Two"}
    assert told_apart({"a": "One", "b": "One", "c": ""}) == {
        "a": "One (a)",
        "b": "One (b)",
        "c": "(c)",
    }
    # What another option is called already is nobody else's name.
    found = told_apart({"a": "One", "b": "One", "c": "One (a)"})
    assert len(set(found.values())) == 3
    assert found["c"] == "One (a)"
    assert told_apart({1: "cat.jpg", 2: "cat.jpg"}) == {1: "cat.jpg (1)", 2: "cat.jpg (2)"}


def _page() -> None:
    import streamlit as st

    from emoviz.ui.linked import linked_choice

    st.text(linked_choice("Beside it", {"": "nothing", "x": "Gram", "y": "Gram"}, "beside"))


def test_the_second_of_two_equal_titles_can_be_chosen() -> None:
    app = AppTest.from_function(_page, default_timeout=30).run()
    assert app.selectbox[0].options == ["nothing", "Gram (x)", "Gram (y)"]
    app.selectbox[0].select_index(2).run()
    assert app.text[0].value == "y"
    assert app.query_params["beside"] in ("y", ["y"])


def _two_controls() -> None:
    import streamlit as st

    from emoviz.ui.linked import linked_choice, linked_toggle

    shown = linked_choice("Collection", {"one": "One", "two": "Two", "three": "Three"}, "review")
    st.text(f"{shown} {linked_toggle('Blind', 'blind')}")


def test_a_hand_over_counts_more_than_what_the_session_had_chosen() -> None:
    app = AppTest.from_function(_two_controls, default_timeout=30).run()
    app.selectbox[0].select_index(1).run()
    app.toggle[0].set_value(True).run()
    assert app.text[0].value == "two True"
    app.query_params.clear()  # the menu's links carry nothing: the session's choice stays
    assert app.run().text[0].value == "two True"
    assert app.query_params["review"] in ("two", ["two"])
    app.query_params["review"], app.query_params["blind"] = "three", "0"  # another page leads here
    assert app.run().text[0].value == "three False"
    app.selectbox[0].select_index(0).run()
    assert app.text[0].value == "one False"
    app.query_params["review"] = "three"  # and once more, with the same words
    assert app.run().text[0].value == "three False"
    app.query_params["review"] = "gone"
    assert app.run().text[0].value == "three False"


def _large_view() -> None:
    import streamlit as st

    from emoviz.ui.stepping import stepped

    st.text(f"image {stepped('place', 3)}")


def test_arrows_lead_through_a_large_view_and_end_at_its_ends() -> None:
    app = AppTest.from_function(_large_view).run()
    seen = []
    for name, closed in (("Next", False), ("Next", False), ("Next", True), ("Previous", False)):
        seen.append(app.text[0].value)
        button = next(item for item in app.button if item.label == name)
        assert button.disabled is closed
        if not closed:
            app = button.click().run()
    assert [*seen, app.text[0].value] == ["image 0", "image 1", "image 2", "image 2", "image 1"]
    assert app.caption[0].value == "2 of 3"
