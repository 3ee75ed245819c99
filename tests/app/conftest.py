"""Open a page of the app without a browser."""

from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from cnn_core import runs

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_cookies(monkeypatch):
    """Where no browser is, there are no cookies; AppTest has a stand-in that is no text."""
    monkeypatch.setattr(type(st.context), "cookies", {})


@pytest.fixture
def open_page():
    """Open a page by its file under pages/, with values for its controls as a link would carry them."""

    def open_page(path: str, **query: object) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
        for key, value in query.items():
            app.query_params[key] = str(value)
        return app.switch_page(f"pages/{path}").run()

    return open_page


@pytest.fixture
def runs_folder(tmp_path, monkeypatch):
    """Keep runs where no other test does."""
    monkeypatch.setenv("CNN_RUNS_DIR", str(tmp_path / "runs"))


@pytest.fixture
def asleep(runs_folder, monkeypatch):
    """The door to the runs, with nobody behind it: what is submitted waits."""
    service = runs.Service()
    monkeypatch.setattr(service, "warm_up", lambda: None)
    monkeypatch.setattr(runs, "_SERVICE", service)
    return service


@pytest.fixture
def run_snippets():
    """Execute the code a page shows, with this package and with PyTorch, and return what each calls `y`."""

    def run_snippets(app: AppTest):
        results = []
        for code in app.code:
            names: dict[str, object] = {}
            exec(code.value, names)
            results.append(names["y"])
        return results

    return run_snippets
