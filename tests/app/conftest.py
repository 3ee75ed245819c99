"""Open a page of the app without a browser."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def open_page():
    """Open a page by its file under pages/, with values for its controls as a link would carry them."""

    def open_page(path: str, **query: object) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30).run()
        for key, value in query.items():
            app.query_params[key] = str(value)
        return app.switch_page(f"pages/{path}").run()

    return open_page


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
