"""Ten steps of gradient descent on the page, in real Chromium: ``python -m benchmarks.learning``.

On the page Filters, the look "Learn a kernel" takes the book's example ten steps further at each click. "Shown" is the
time from the click to the frame that finds the new number of steps: in the sentence under the figure, and in the figure
of the kernels. The steps alone are timed too, and the same steps with the gradient computed anew from the picture each
time, as the book's loop does. Other programs should be idle.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from cnn_core import images, learning, ops
from cnn_core.kernels import KERNELS
from tests.browser.conftest import CHROMIUM, FLAGS, Server, Visitor

ADDRESS = "filters?f-view=Learn+a+kernel"
NUM_STEPS, RATE = 10, 0.03
NUM_CLICKS = 30
NUM_RUNS = 200

CLICK = """(steps) => new Promise((resolve) => {
  const says = (selector, words) => [...document.querySelectorAll(selector)]
    .some(({ textContent }) => textContent.replace(',', '').startsWith(words))
  const button = [...document.querySelectorAll('button')].find(({ innerText }) => innerText.endsWith('10 steps'))
  const start = performance.now()
  const told = {}
  const watch = (now) => {
    if (says('[data-testid="stMain"] strong', `After ${steps} steps: loss`)) told.sentence ??= now - start
    if (says('.js-plotly-plot text', `step ${steps}`)) told.figure ??= now - start
    told.sentence && told.figure ? resolve(told) : requestAnimationFrame(watch)
  }
  button.click()
  requestAnimationFrame(watch)
})"""


def click(page: Page) -> list[dict[str, float]]:
    """Return when each click was shown in the sentence and in the figure, in milliseconds."""
    times = []
    for number in range(1, NUM_CLICKS + 1):
        times.append(page.evaluate(CLICK, NUM_STEPS * (number + 1)))
        page.wait_for_timeout(1000)
    return times


def repeat(descend: Callable[[], object]) -> list[float]:
    """Return how long each run took, in milliseconds."""
    times = []
    for _ in range(NUM_RUNS):
        start = time.perf_counter()
        descend()
        times.append(1000 * (time.perf_counter() - start))
    return times


def time_steps() -> dict[str, list[float]]:
    """Time the steps without a page, in both ways."""
    x, true = images.load("book-edge").astype(float), KERNELS["book-columns"].values
    target, start = ops.corr2d(x, true), learning.first_kernel(true.shape, seed=0)

    def by_bowl() -> np.ndarray:
        bowl = learning.bowl(x, target, true.shape)
        return learning.descend(bowl, start, learning_rate=RATE, num_steps=NUM_STEPS).kernels[-1]

    def by_gradient() -> np.ndarray:
        kernel = start
        for _ in range(NUM_STEPS):
            kernel = kernel - RATE * learning.gradient(x, target, kernel)
        return kernel

    np.testing.assert_allclose(by_bowl(), by_gradient(), rtol=1e-9)
    return {"the steps alone": repeat(by_bowl), "peer, gradient each time": repeat(by_gradient)}


def report(name: str, values: list[float], asked: str = "") -> None:
    median, p95, worst = np.percentile(values, (50, 95, 100))
    print(f"{name:<26} {median:8.2f} {p95:8.2f} {worst:8.2f}   {asked}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server({"CNN_RUNS_DIR": f"{folder}/runs"}, Path(folder) / "server.log")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            shown = click(Visitor(browser, server.url).open(ADDRESS))
        finally:
            browser.close()
            server.stop()
    print(f"{NUM_STEPS} steps, milliseconds          median      p95    worst")
    report("shown in the sentence", [each["sentence"] for each in shown], "asked: below 100")
    report("shown in the figure", [each["figure"] for each in shown])
    for name, values in time_steps().items():
        report(name, values)


if __name__ == "__main__":
    main()
