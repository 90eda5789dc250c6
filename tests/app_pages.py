"""What tests of pages share: a page opened, whether it is healthy, what stands on it."""

from typing import Any
from xml.etree.ElementTree import fromstring

import pandas as pd
from streamlit.testing.v1 import AppTest

from emoviz.settings import PROJECT_ROOT


def healthy(app: AppTest) -> AppTest:
    """The page, if it raised nothing."""
    assert not app.exception, app.exception
    return app


def open_page(page: str = "datasets", **query: str) -> AppTest:
    """A page of ``pages/train``, with the tiny checkpoint chosen."""
    app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=120)
    app.query_params["checkpoint"] = "tiny"
    app.run()
    app.switch_page(f"pages/train/{page}.py")
    for name, value in {"checkpoint": "tiny", **query}.items():
        app.query_params[name] = value
    return healthy(app.run())


class Login:
    """Stands in for `st.user`."""

    def __init__(self, **claims: Any) -> None:
        self.is_logged_in = bool(claims)
        self._claims = claims

    def to_dict(self) -> dict[str, Any]:
        """What the provider says of who it is."""
        return self._claims


def words(app: AppTest) -> str:
    """All that a page says in running text."""
    parts = [*app.markdown, *app.caption, *app.info, *app.warning, *app.error, *app.header]
    return "\n".join(str(part.value) for part in parts)


def labels(app: AppTest) -> list[str]:
    """Of its buttons."""
    return [button.label for button in app.button]


def drawn_tables(app: AppTest) -> list[pd.DataFrame]:
    """Tables that stand as text on a page, their cells as texts, by the names of their rows."""
    found = []
    for item in app.get("html"):
        if 'class="ev-scores"' not in item.proto.body:
            continue
        root = fromstring(item.proto.body)
        heads = ["".join(cell.itertext()) for cell in root.findall(".//thead//th")]
        body = [["".join(cell.itertext()) for cell in row] for row in root.findall(".//tbody/tr")]
        table = pd.DataFrame(body, columns=heads or None)
        named = root.find(".//tbody//th") is not None
        found.append(table.set_index(table.columns[0]) if named else table)
    return found
