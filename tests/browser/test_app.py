"""Every page, as a browser meets it."""

import psutil
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor

PATHS = [
    "",
    "why-convolutions",
    "filters",
    "padding-stride",
    "channels",
    "pooling",
    "architecture",
    "lenet-trainer",
]


@pytest.mark.parametrize("path", PATHS)
def test_each_page_loads_without_exception_and_without_a_console_error(visit, path):
    visitor = visit(path)
    expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
    assert visitor.exceptions() == []


@pytest.mark.parametrize("path", PATHS)
def test_each_page_fits_a_phone(visit, path):
    visitor = visit(path, viewport={"width": 390, "height": 844}, color_scheme="dark")
    assert visitor.exceptions() == []
    main = visitor.page.locator('[data-testid="stMain"]')
    assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 4


def test_a_deep_link_works_on_a_server_that_nobody_has_visited(visit, fresh_server):
    visitor = visit("padding-stride?ps-h-input=28&ps-h-kernel=5", url=fresh_server.url)
    assert visitor.exceptions() == []
    assert "28 x 28 in, kernel 5" in visitor.page.inner_text('[data-testid="stMain"]')


def test_the_navigation_lists_the_pages_in_teaching_order(visit):
    links = visit("").page.locator('[data-testid="stSidebarNavLink"]').all_inner_texts()
    titles = [link.split("\n")[-1] for link in links]
    chapter, networks = (
        ["Why convolutions", "Filters", "Padding & stride", "Channels", "Pooling"],
        ["Architecture", "LeNet trainer"],
    )
    assert titles == ["Home", *chapter, *networks]


@pytest.mark.parametrize("path", PATHS)
def test_no_request_leaves_the_machine(browser, server, path):
    asked = []
    visitor = Visitor(browser, server.url)
    visitor.page.on("request", lambda request: asked.append(request.url))
    visitor.open(path)
    visitor.page.close()
    own = (server.url, server.url.replace("http", "ws"), "data:", "blob:")
    assert [url for url in asked if not url.startswith(own)] == []


def test_the_chapter_opens_without_torch_in_under_200_megabytes(visit, fresh_server):
    visitor = visit("filters", url=fresh_server.url)
    for path in ("why-convolutions", "padding-stride", "channels", "pooling"):
        visitor.open(path)
    process = psutil.Process(fresh_server.process.pid)
    assert not [library.path for library in process.memory_maps() if "torch" in library.path]
    assert process.children() == []
    assert process.memory_info().rss < 200e6
