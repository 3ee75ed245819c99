"""A real server and a real Chromium, the same that a visitor meets."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect

# On a busy machine a page may take its time, most of all for the first training; a wait lasts that long.
PATIENCE = 120_000
expect.set_options(timeout=PATIENCE)

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]


class Server:
    """The app, or another script, on a free port of the loopback interface."""

    def __init__(self, environment: dict[str, str], log: Path, *, script: str = "app.py"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        command = [sys.executable, "-m", "streamlit", "run", script, f"--server.port={port}"]
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [*command, "--server.address=127.0.0.1"],
                cwd=ROOT,
                env=os.environ | environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self._wait()

    def _wait(self) -> None:
        for _ in range(240):
            assert self.process.poll() is None, self.log.read_text()
            try:
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1).close()
            except OSError:
                time.sleep(0.25)
            else:
                return
        self.process.kill()
        raise AssertionError(f"the app did not answer within 60 s:\n{self.log.read_text()}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def fresh_server(tmp_path):
    """Start a server that nobody has visited yet."""
    server = Server({"CNN_RUNS_DIR": str(tmp_path / "runs")}, tmp_path / "server.log")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Start one server for all tests of this process."""
    folder = tmp_path_factory.mktemp("server")
    server = Server({"CNN_RUNS_DIR": str(folder / "runs")}, folder / "server.log")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def browser():
    """Start Chromium."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: install Debian's package chromium, or set CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Visitor:
    """One browser window on the app, which remembers what went wrong in it."""

    def __init__(self, browser, url: str, **options):
        options = {"viewport": {"width": 1280, "height": 900}} | options
        self.page = browser.new_page(**options)
        self.page.set_default_timeout(PATIENCE)
        self.url = url
        self.problems: list[str] = []
        # Streamlit probes _stcore under each page's own path first; that 404 is by design.
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def _console(self, message) -> None:
        if message.type == "error" and "/_stcore/" not in message.location.get("url", ""):
            self.problems.append(message.text)

    def open(self, path: str):
        """Open a page by its path in the address bar and wait until it stands still."""
        self.page.goto(f"{self.url}/{path}")
        self.settle()
        return self.page

    def settle(self) -> None:
        """Wait until the script has stopped and nothing on the page is pending."""
        self.page.wait_for_function(
            """() => {
              const app = document.querySelector('[data-testid="stApp"]');
              const state = app && app.getAttribute('data-test-script-state');
              const busy = !state || state === 'running' || state === 'initial' ||
                document.querySelector('[data-testid="stSkeleton"], [data-testid="stAppSkeleton"]');
              if (busy) { window.quietSince = null; return false; }
              window.quietSince ??= performance.now();
              return performance.now() - window.quietSince > 400;
            }""",
        )
        self.page.evaluate("window.quietSince = null")

    def exceptions(self) -> list[str]:
        """Return what the page shows of exceptions and of the app's own last-resort message."""
        boxes = self.page.query_selector_all('[data-testid="stException"]')
        texts = [box.inner_text() for box in boxes]
        return texts + re.findall("Something went wrong.*|Page not found.*", self.page.inner_text("body"))


@pytest.fixture
def visit(browser, server):
    """Open pages of the shared server; the test fails if the browser logged an error."""
    visitors = []

    def visit(path: str, *, url: str = server.url, **options) -> Visitor:
        visitor = Visitor(browser, url, **options)
        visitors.append(visitor)
        visitor.open(path)
        return visitor

    yield visit
    for visitor in visitors:
        visitor.page.close()
    assert [visitor.problems for visitor in visitors] == [[] for _ in visitors]
