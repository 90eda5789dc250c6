"""Two runs of one session: the one that was overtaken leaves what the other has drawn alone."""

from typing import Any

import pytest
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.testing.v1 import AppTest

from emoviz.settings import PROJECT_ROOT, Settings
from emoviz.ui import shell


@pytest.mark.parametrize("overtaken", [True, False])
def test_an_overtaken_run_does_not_forget_the_other_runs_fragments(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, overtaken: bool
) -> None:
    forgotten: list[str] = []

    def meanwhile(_: Any) -> None:
        """The last thing of a run: just now another one begins, which stops this one."""
        context = get_script_run_ctx()
        assert context is not None
        fragments = context.fragment_storage
        monkeypatch.setattr(fragments, "clear", lambda **kept: forgotten.append("fragments"))
        if overtaken:
            context.script_requests.request_stop()

    monkeypatch.setattr(shell, "warm", meanwhile)
    AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=90).run()
    assert forgotten == ([] if overtaken else ["fragments"])
