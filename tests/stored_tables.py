"""Tables of embeddings made by hand, put where the pages find them; and pages to open on them."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from app_pages import healthy
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from emoviz.checkpoints import Checkpoint
from emoviz.inference.cache import fingerprint
from emoviz.inference.embedding_table import EmbeddingTable, Origin
from emoviz.inference.stored import table_path, write_embeddings
from emoviz.labels import taxonomy_of
from emoviz.settings import PROJECT_ROOT, Settings


def answers(classes: Sequence[int], sure: float = 0.6, second: Sequence[int] = ()) -> Any:
    """(N, 8) probabilities whose largest is at `classes`, whose second is at `second`."""
    rows = np.full((len(classes), 8), (1 - sure) / 7)
    rows[np.arange(len(classes)), list(classes)] = sure
    if len(second):
        rows[np.arange(len(second)), list(second)] += 0.03
    return rows / rows.sum(axis=1, keepdims=True)


def store(
    settings: Settings,
    checkpoint: Checkpoint,
    probabilities: NDArray[np.float64],
    labels: Sequence[str],
    columns: Mapping[str, Sequence[str]] | None = None,
    title: str = "hand",
    novelty: Sequence[float] = (),
) -> str:
    """Keep a table as `embed` would; gives the collection's key in the link."""
    count = len(probabilities)
    known = taxonomy_of(labels, checkpoint.card.taxonomy)
    names = known.names if known is not None else ()
    collection = str(settings.home / f"{title}.csv")
    rng = np.random.default_rng(0)
    table = EmbeddingTable(
        taxonomy=checkpoint.card.taxonomy,
        paths=tuple(f"{i}.jpg" for i in range(count)),
        sha256=tuple(f"{i:064x}" for i in range(count)),
        embedding=rng.normal(size=(count, checkpoint.card.width)).astype(np.float32),
        probabilities=probabilities,
        novelty=np.array(novelty or [0.5] * count),
        labels=np.array([names.index(text) if text in names else -1 for text in labels]),
        label_names=tuple(labels),
        label_taxonomy=known,
        metadata={name: tuple(values) for name, values in (columns or {}).items()},
        origin=Origin(
            checkpoint.card.id,
            checkpoint.card.weights_sha256,
            fingerprint(checkpoint),
            collection,
            title,
            str(settings.home),
            "2026-01-01T00:00:00+00:00",
            "0",
        ),
    )
    path = table_path(settings, collection, title, checkpoint.card.id)
    write_embeddings(path, [table])
    return path.parent.name


def open_measure(page: str, **query: str) -> AppTest:
    """A page of the section Measure, by a link."""
    app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=90)
    asked = {"checkpoint": "tiny", **query}
    app.query_params.update(asked)
    app.run()
    app.switch_page(f"pages/measure/{page}.py")
    app.query_params.update(asked)
    return settled(app)


def settled(app: AppTest) -> AppTest:
    """The page once nothing is computed in the background: no browser asks for it here."""
    for _ in range(60):
        healthy(app.run())
        if not any("hourglass" in item.value for item in app.caption):
            return app
        time.sleep(0.5)
    raise AssertionError("the page still waits")


def said(app: AppTest) -> str:
    """All text of the page, tables and HTML among it."""
    kinds: tuple[Any, ...] = (app.markdown, app.info, app.caption, app.warning, app.error)
    texts = [str(item.value) for kind in kinds for item in kind]
    texts += [item.proto.body for item in app.get("html")]
    return "\n".join(texts).replace("\N{NO-BREAK SPACE}", " ")
