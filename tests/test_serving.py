"""The reviews served as IIIF: who is answered, what Presentation 3 and Content Search 2 say."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from local_server import local_server
from museum import furnish
from reviews import FINGERPRINT, guesses, say
from starlette.applications import Starlette

from emoviz.jobs import Reporter
from emoviz.labels import MIKELS8
from emoviz.review.acquire import AcquireRequest
from emoviz.review.ingest import add_collection
from emoviz.review.store import ReviewStore, open_store
from emoviz.settings import Settings
from emoviz.ui import serving, web

HOST = "127.0.0.1:8501"
BASE = f"http://{HOST}/iiif"
Reply = tuple[int, dict[str, str], Any]


def ask(path: str, client: str = "127.0.0.1", **headers: str) -> Reply:
    """One GET to the routes alone, as a server would hand it over."""
    parts = urlsplit(path)
    given = {"host": HOST, **{name.replace("_", "-"): text for name, text in headers.items()}}
    scope = {
        "type": "http", "method": "GET", "scheme": "http", "http_version": "1.1",
        "path": parts.path, "raw_path": parts.path.encode(), "root_path": "",
        "query_string": parts.query.encode(), "client": (client, 5000),
        "server": ("127.0.0.1", 8501),
        "headers": [(name.encode(), text.encode()) for name, text in given.items()],
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    asyncio.run(Starlette(routes=web.routes())(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent)
    told = {name.decode(): text.decode() for name, text in sent[0]["headers"]}
    return sent[0]["status"], told, json.loads(body) if body[:1] == b"{" else body.decode()


@pytest.fixture
def store(
    settings: Settings, tmp_path: Path, picture: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> ReviewStore:  # fmt: skip
    """A small museum's paintings, estimated and decided on."""
    monkeypatch.setenv("EMOVIZ_HOME", str(settings.home))
    serving._read.cache_clear()
    allowed = replace(settings, allow_private_urls=True, fetch_pause=0.001)
    with local_server() as server:
        request = AcquireRequest("museum", furnish(server, picture), "iiif", "A museum", side=800)
        add_collection(request, allowed, Reporter(tmp_path / "progress.jsonl"))
    store = open_store(settings)
    collection = store.collection("museum")
    assert collection is not None
    works = store.works(collection.id)
    head = (collection.id, "tiny", FINGERPRINT, "0.1.0", MIKELS8, "")
    store.put_estimates(*head, guesses(works))
    ona, jonas = store.reviewer("Ona"), store.reviewer("Jonas")
    say(store, ona, works[0], ("awe", 3), note="Deep night")
    say(store, jonas, works[1], "fear")
    say(store, ona, works[1])
    return store


def test_manifests_and_pages_are_those_of_presentation_3(store: ReviewStore) -> None:
    prezi3 = pytest.importorskip("iiif_prezi3", reason="iiif-prezi3 is installed by .ci/run")

    def read(kind: str, path: str) -> Any:
        status, headers, value = ask(path)
        assert (status, value["type"]) == (200, kind)
        assert headers["content-type"].startswith("application/ld+json")
        known = {name: inside for name, inside in value.items() if name not in ("@context",)}
        getattr(prezi3, kind)(**{k: v for k, v in known.items() if k != "service"})
        return value

    top = read("Collection", "/iiif/collection.json")
    assert [item["id"] for item in top["items"]] == [f"{BASE}/museum/collection.json"]
    collection = read("Collection", "/iiif/museum/collection.json")
    manifests = [urlsplit(item["id"]).path for item in collection["items"]]
    assert len(manifests) == 3
    manifest = read("Manifest", manifests[1])
    assert manifest["id"] == collection["items"][1]["id"]
    assert manifest["service"] == [{"id": f"{BASE}/museum/search", "type": "SearchService2"}]
    (page,) = manifest["items"][0]["annotations"]
    assert read("AnnotationPage", urlsplit(page["id"]).path)["items"] == page["items"]
    old = ask(manifests[0])[2]
    assert old["@type"] == "sc:Manifest"  # version 2 stays in version 2
    (place,) = old["sequences"][0]["canvases"][0]["otherContent"]
    listed = ask(urlsplit(place["@id"]).path)[2]
    assert (listed["@id"], listed["@type"]) == (place["@id"], "sc:AnnotationList")
    assert len(listed["resources"]) == 2


def found(query: str) -> list[str]:
    status, _, value = ask(f"/iiif/museum/search?{query}")
    assert (status, value["type"]) == (200, "AnnotationPage")
    assert value["@context"] == "http://iiif.io/api/search/2/context.json"
    return [f"{item['creator']['name'].split()[0]}: {item['body'][0]['value'][:9]}"
            for item in value["items"]]  # fmt: skip


def test_the_search_finds_words_motivations_people_and_dates(store: ReviewStore) -> None:
    assert found("q=night+deep") == ["Ona: awe"]
    assert found("q=NIGHT&motivation=commenting+linking") == ["Ona: awe"]
    assert found("q=night&motivation=classifying") == []
    assert len(found("motivation=classifying")) == 3
    (known,) = store.estimate_sets(1)
    for name in MIKELS8.names:  # of an estimate only the likeliest emotion counts
        count = sum(item.first == name for item in store.estimates(known))
        assert len(found(f"q={name}&motivation=classifying")) == count
    ona = next(person for person in store.reviewers() if person.name == "Ona")
    everything = ask("/iiif/museum/search")[2]["items"]
    agent = next(i["creator"]["id"] for i in everything if i["creator"]["name"] == ona.name)
    assert len(found(f"user={agent}")) == 2
    day = everything[0]["created"][:10]
    assert len(found(f"date={day}T00:00:00Z/{day}T23:59:59Z")) == 6
    assert found("date=1990-01-01T00:00:00Z/1990-12-31T00:00:00Z") == []
    value = ask("/iiif/museum/search?q=night&colour=red")[2]
    assert value["ignored"] == ["colour"]
    assert value["id"] == f"{BASE}/museum/search?q=night&colour=red"


def test_many_results_come_in_pages(store: ReviewStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_AT_ONCE", 4)
    first = ask("/iiif/museum/search?motivation=classifying+tagging+commenting")[2]
    assert first["partOf"]["total"] == 6
    following = urlsplit(first["next"]["id"])
    second = ask(f"{following.path}?{following.query}")[2]
    assert (len(first["items"]), len(second["items"])) == (4, 2)
    assert "next" not in second
    assert second["startIndex"] == 4
    assert not {i["id"] for i in first["items"]} & {i["id"] for i in second["items"]}


@pytest.mark.parametrize("page", ["%C2%B2", "9" * 5000, "-1", "x", ""])
def test_an_impossible_page_is_the_first(store: ReviewStore, page: str) -> None:
    assert ask(f"/iiif/museum/search?page={page}")[2]["items"]


PATH = "/iiif/museum/collection.json"


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 200),
        ({"host": "localhost:8501"}, 200),
        ({"client": "192.168.1.7"}, 403),
        ({"host": "museum.example"}, 403),
        ({"x_forwarded_for": "203.0.113.9"}, 403),
        ({"forwarded": "for=203.0.113.9"}, 403),
        ({"client": "::1"}, 200),
    ],
)
def test_only_this_machine_is_answered(store: ReviewStore, asked: Any, status: int) -> None:
    for path in (PATH, "/iiif/museum/search", "/iiif/museum/manifests/1.json"):
        assert ask(path, **asked)[0] == status


def test_a_setting_opens_or_closes_it(store: ReviewStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOVIZ_SERVE_IIIF", "all")
    status, headers, _ = ask(PATH, client="192.168.1.7", origin="https://viewer.example")
    assert (status, headers["access-control-allow-origin"]) == (200, "https://viewer.example")
    monkeypatch.setenv("EMOVIZ_SERVE_IIIF", "off")
    assert ask(PATH)[0] == 403
    monkeypatch.setenv("EMOVIZ_SERVE_IIIF", "everybody")
    status, _, value = ask(PATH)
    assert (status, "EMOVIZ_SERVE_IIIF" in value["error"]) == (500, True)


def test_pages_of_other_origins_read_it_only_where_they_are_named(
    store: ReviewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirador = "http://localhost:4444"
    assert "access-control-allow-origin" not in ask(PATH, origin=mirador)[1]
    monkeypatch.setenv("EMOVIZ_IIIF_ORIGINS", f"https://x.example, {mirador}")
    assert ask(PATH, origin=mirador)[1]["access-control-allow-origin"] == mirador
    assert "access-control-allow-origin" not in ask(PATH, origin="http://localhost:5555")[1]


def test_where_people_sign_in_nobody_is_answered_unsigned(
    store: ReviewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving.secrets_singleton, "load_if_toml_exists", lambda: True)
    monkeypatch.setattr(serving.st, "secrets", {"auth": {}})
    assert ask(PATH)[0] == 403


def test_under_blind_review_no_estimate_is_served(store: ReviewStore) -> None:
    ona = next(person for person in store.reviewers() if person.name == "Ona")
    store.set_blind("museum", True, ona.id)
    serving._read.cache_clear()
    assert found("motivation=classifying") == []
    assert FINGERPRINT not in json.dumps(ask("/iiif/museum/manifests/2.json")[2])


@pytest.mark.parametrize(
    "path",
    [
        *("/iiif/gone/collection.json", "/iiif/..%2Fx/search", "/iiif/museum/manifests/0.json"),
        *("/iiif/museum/manifests/4.json", "/iiif/museum/annotations/99.json"),
    ],
)
def test_what_is_not_there_is_told(store: ReviewStore, path: str) -> None:
    status, _, _ = ask(path)
    assert status == 404
