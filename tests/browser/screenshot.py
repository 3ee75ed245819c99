"""Take the README's picture of the app with the browser of the tests: python -m tests.browser.screenshot FILE."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS, Server, Visitor

PAGE = "filters?f-pin=output.0.5.5"
SIZE = {"width": 1280, "height": 1500}  # the whole of the figure, down to the written sum


def main(target: str) -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server({"CNN_RUNS_DIR": f"{folder}/runs"}, Path(folder) / "server.log")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            visitor = Visitor(browser, server.url, viewport=SIZE)
            visitor.open(PAGE).screenshot(path=target)
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
