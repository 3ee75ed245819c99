"""The page Architecture at the speed of an edit: ``python -m benchmarks.architecture``.

First the layer table of VGG-16, against torchinfo on the same module without weights, in the same process. Then, in
real Chromium, from the press of a button in the layer table to the new table on screen; the peer is the same
change typed into Streamlit's own text control, which the same run of the script answers. Other programs should be idle.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torchinfo
import torchvision
from playwright.sync_api import Page, sync_playwright

from cnn_core import published
from tests.browser.conftest import CHROMIUM, FLAGS, Server, Visitor

NUM_TABLES = 20
NUM_EDITS = 40
LENET = "conv6k5p2-sigmoid-avg2-conv16k5-sigmoid-avg2-flatten-120-sigmoid-84-sigmoid-10"

# From the event to the frame in which the table has as many rows as it is to have.
PRESS = """async ([name, rows]) => {
  const root = document.querySelector('.layers') ?? [...document.querySelectorAll('*')]
    .map((element) => element.shadowRoot?.querySelector('.layers')).find(Boolean)
  const start = performance.now()
  if (name) [...root.querySelectorAll('button')].find((one) => (one.ariaLabel ?? one.textContent) === name).click()
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
  while (root.querySelectorAll('tr.layer').length !== rows) await frame()
  await frame()
  return performance.now() - start
}"""


def seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def tables() -> None:
    with torch.device("meta"):
        module = torchvision.models.vgg16()
        picture = torch.zeros(1, *published.INPUT_SHAPE)
    published.layer_table("vgg16")
    ours = [seconds(lambda: published.layer_table("vgg16")) for _ in range(NUM_TABLES)]
    peer = [
        seconds(lambda: torchinfo.summary(module, input_data=[picture], device="meta", verbose=0))
        for _ in range(NUM_TABLES)
    ]
    print(f"table of VGG-16: median {np.median(ours) * 1000:.1f} ms (asked: below 100), ", end="")
    print(f"{np.median(peer) / np.median(ours):.1f} times as fast as torchinfo")


def edits(page: Page) -> tuple[list[float], list[float]]:
    """Return the milliseconds of edits in the table, and of the same changes typed."""
    line = page.get_by_role("textbox", name="Network in one line")
    num_rows = LENET.count("-") + 1
    pressed, typed = [], []
    for _ in range(NUM_EDITS // 2):
        pressed.append(page.evaluate(PRESS, ["Duplicate linear3", num_rows + 1]))
        page.wait_for_timeout(1500)
        pressed.append(page.evaluate(PRESS, ["Remove linear4", num_rows]))
        page.wait_for_timeout(1500)
        for text, rows in ((f"{LENET}-10", num_rows + 1), (LENET, num_rows)):
            line.fill(text)
            start = time.perf_counter()
            line.press("Enter")
            page.evaluate(PRESS, ["", rows])
            typed.append((time.perf_counter() - start) * 1000)
            page.wait_for_timeout(1500)
    return pressed, typed


def report(name: str, values: list[float]) -> float:
    median, p95, worst = np.percentile(values, (50, 95, 100))
    print(f"{name:<34} {median:6.0f} {p95:6.0f} {worst:6.0f}")
    return median


def main() -> None:
    tables()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server({"CNN_RUNS_DIR": f"{folder}/runs"}, Path(folder) / "server.log")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = Visitor(browser, server.url).open(f"architecture?a-network={LENET}")
            page.wait_for_timeout(3000)
            pressed, typed = edits(page)
        finally:
            browser.close()
            server.stop()
    print(f"{NUM_EDITS} edits, milliseconds            median    p95  worst")
    ours = report("button to new table (asked: p95 300)", pressed)
    theirs = report("peer: typed into the text control", typed)
    print(f"a button takes {ours / theirs:.2f} of the peer's time (medians)")


if __name__ == "__main__":
    main()
