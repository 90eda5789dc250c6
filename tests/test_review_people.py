"""Who may review: a typed name, or a login where one is set up."""

from dataclasses import replace
from typing import Any

import pytest
import streamlit as st
from app_pages import Login
from test_page_artworks import healthy, words

from emoviz.checkpoints import Checkpoint
from emoviz.review import open_store
from emoviz.settings import PROJECT_ROOT, Settings
from emoviz.ui import access

CLAIMS = {"iss": "https://login.example", "sub": "7", "name": "Ona", "email": "ona@museum.example"}


def login(monkeypatch: pytest.MonkeyPatch, settings: Settings, **claims: Any) -> Any:
    monkeypatch.setattr(access, "login_is_set_up", lambda: True)
    monkeypatch.setattr(st, "user", Login(email_verified=True, **claims))
    return access.person(settings).reviewer


def test_a_login_is_a_person_of_its_own_who_waits(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    managed = replace(settings, managers="ona@museum.example")
    ona = login(monkeypatch, managed, **CLAIMS)
    assert (ona.name, ona.role) == ("Ona", "manager")
    other = login(monkeypatch, managed, **{**CLAIMS, "sub": "8", "email": "eve@museum.example"})
    assert (other.name, other.role) == ("Ona (2)", "waiting")
    assert login(monkeypatch, managed, **CLAIMS).id == ona.id


def test_the_first_to_log_in_does_not_manage_by_being_first(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    assert login(monkeypatch, settings, **CLAIMS).role == "waiting"


def test_a_role_given_in_the_store_outlives_the_next_login(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    managed = replace(settings, managers="ona@museum.example")
    ona = login(monkeypatch, managed, **CLAIMS)
    claims = {**CLAIMS, "sub": "8", "email": "eve@museum.example", "name": "Eve"}
    eve = login(monkeypatch, managed, **claims)
    open_store(settings).set_role(eve.id, "viewer", by=ona.id)
    assert login(monkeypatch, managed, **claims).role == "viewer"


def test_the_page_asks_for_a_login_where_one_is_set_up(
    settings: Settings, tiny_checkpoint: Checkpoint
) -> None:
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=90)
    app.secrets["auth"] = {"client_id": "x"}
    app.session_state["reviewer"] = "Ona"  # a typed name is worth nothing here
    app.run()
    app.switch_page("pages/review/artworks.py")
    app.query_params["checkpoint"] = "tiny"
    healthy(app.run())
    assert "Please sign in" in words(app)
    assert any(button.label == "Sign in" for button in app.button)
    assert open_store(settings).reviewers() == []
