"""The entry point, ``streamlit run app.py``: the server reads what serves, a visit runs it."""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from emoviz.ui import web

if get_script_run_ctx(suppress_warning=True) is None:
    app = st.App(
        __file__,
        routes=web.routes(),
        middleware=web.MIDDLEWARE,
        lifespan=web.started,
        on_script_error=web.failed,
    )
else:
    web.import_all()
    from emoviz.ui import visit

    visit.run()
