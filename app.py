"""The CNN Workbench: page config and navigation in teaching order."""

import streamlit as st
from starlette.middleware import Middleware

from ui import cookie, server

if not st.runtime.exists():
    app = st.App(
        __file__,
        lifespan=server.lifespan,
        middleware=[Middleware(cookie.Giver)],
        on_script_error=server.on_script_error,
    )
else:
    st.set_page_config(page_title="CNN Workbench", page_icon="ui/icon.svg", layout="wide")
    pages = {
        "Start": [st.Page("pages/start/home.py", title="Home", icon=":material/home:", default=True)],
        "Chapter": [
            st.Page(
                "pages/chapter/why_convolutions.py",
                title="Why convolutions",
                icon=":material/lightbulb:",
                url_path="why-convolutions",
            ),
            st.Page("pages/chapter/filters.py", title="Filters", icon=":material/blur_on:"),
            st.Page(
                "pages/chapter/padding_stride.py",
                title="Padding & stride",
                icon=":material/padding:",
                url_path="padding-stride",
            ),
            st.Page("pages/chapter/channels.py", title="Channels", icon=":material/layers:"),
            st.Page("pages/chapter/pooling.py", title="Pooling", icon=":material/compress:"),
        ],
        "Networks": [
            st.Page("pages/networks/architecture.py", title="Architecture", icon=":material/schema:"),
            st.Page(
                "pages/networks/lenet_trainer.py",
                title="LeNet trainer",
                icon=":material/model_training:",
                url_path="lenet-trainer",
            ),
        ],
    }
    st.navigation(pages).run()
