"""The explorer at the speed of the hand, in real Chromium: ``python -m benchmarks.explorer``.

A real pointer moves over a 28 x 28 input, a 5 x 5 kernel and their output. Handling a move includes drawing it. The
peer draws the same grids anew as SVG at each move, as demonstrations of convolution on the web do, in the same page and
run. "Painted" is the time from the event to the end of the frame that shows it, with the wait for that frame. Other
programs should be idle.
"""

import random
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS, ROOT, Server, Visitor

ADDRESS = "padding-stride?ps-h-input=28&ps-h-kernel=5"
NUM_MOVES = 400
NUM_STEPS = 300
NUM_PEER_MOVES = 60
FRAME = 1000 / 60

FIND = """() => [...document.querySelectorAll('*')]
  .map((element) => element.shadowRoot?.querySelector('.explorer')?.explorer)
  .find(Boolean)"""

WATCH_MOVES = """(explorer) => {
  const { sheet } = explorer.parts
  const handle = sheet.onpointermove
  explorer.moves = []
  sheet.onpointermove = (event) => {
    const before = explorer.hover
    const start = performance.now()
    handle(event)
    if (explorer.hover === before) return
    const move = { handled: performance.now() - start }
    explorer.moves.push(move)
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel()
      port1.onmessage = () => (move.painted = performance.now() - event.timeStamp)
      port2.postMessage(0)
    })
  }
  return ['input', 'kernel', 'output'].map((kind) => {
    const { over } = explorer.grids.find((grid) => grid.kind === kind)
    const { left, top, width, height } = over.getBoundingClientRect()
    return { left, top, width, height }
  })
}"""

DRAW_AS_SVG = """(explorer, moves) => {
  const host = document.createElement('div')
  document.body.append(host)
  const times = []
  for (let move = 0; move < moves; move++) {
    const start = performance.now()
    const cells = []
    for (const [index, grid] of explorer.grids.entries())
      for (let row = 0; row < grid.size[0]; row++)
        for (let column = 0; column < grid.size[1]; column++) {
          const [x, y] = [index * 400 + column * 12, row * 12]
          cells.push(`<rect x="${x}" y="${y}" width="12" height="12" fill="#eee" stroke="#ccc"></rect>`)
          cells.push(`<text x="${x}" y="${y + 9}" font-size="7">${explorer.value(grid, [row, column])}</text>`)
        }
    host.innerHTML = `<svg width="1200" height="400">${cells.join('')}</svg>`
    host.getBoundingClientRect()
    times.push(performance.now() - start)
  }
  host.remove()
  return times
}"""

PLAY = """(explorer, steps) => new Promise((resolve) => {
  const { speed, play } = explorer.parts
  const frames = []
  const watch = (now) => {
    if (explorer.step > 0) frames.push({ now, step: explorer.step })
    if (frames.length && explorer.step - frames[0].step >= steps) return resolve(frames)
    requestAnimationFrame(watch)
  }
  speed.value = speed.max
  play.click()
  requestAnimationFrame(watch)
})"""


def move_about(page: Page, boxes: list[dict]) -> None:
    """Move the pointer from cell to cell, as unevenly in time as a hand does."""
    chance = random.Random(0)
    for _ in range(NUM_MOVES):
        box = chance.choice(boxes)
        page.mouse.move(
            box["left"] + 0.99 * chance.random() * box["width"],
            box["top"] + 0.99 * chance.random() * box["height"],
        )
        page.wait_for_timeout(40 * chance.random())


def measure(page: Page) -> tuple[list[dict], list[float], list[dict]]:
    """Return the moves, the peer's times and the frames of the play."""
    explorer = page.evaluate_handle(FIND)
    boxes = explorer.evaluate(WATCH_MOVES)
    page.wait_for_timeout(1000)
    move_about(page, boxes)
    page.wait_for_timeout(300)
    moves = explorer.evaluate("(explorer) => explorer.moves")
    return moves, explorer.evaluate(DRAW_AS_SVG, NUM_PEER_MOVES), explorer.evaluate(PLAY, NUM_STEPS)


def report(name: str, values: list[float], asked: str = "") -> float:
    median, p95, worst = np.percentile(values, (50, 95, 100))
    print(f"{name:<26} {median:8.2f} {p95:8.2f} {worst:8.2f}   {asked}")
    return p95


def main() -> None:
    frames_sent = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server({"CNN_RUNS_DIR": f"{folder}/runs"}, Path(folder) / "server.log")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            visitor = Visitor(browser, server.url)
            listen = lambda socket: socket.on("framesent", lambda frame: frames_sent.append(frame))  # noqa: E731
            visitor.page.on("websocket", listen)
            page = visitor.open(ADDRESS)
            frames_sent.clear()
            moves, peer, frames = measure(page)
        finally:
            browser.close()
            server.stop()
    print(f"{len(moves)} moves, milliseconds      median      p95    worst")
    ours = report("handled and drawn", [move["handled"] for move in moves], "asked: p95 below 4")
    report("painted", [move["painted"] for move in moves], "asked: p95 below 25, worst 34")
    theirs = report("peer, all anew as SVG", peer)
    print(f"handled and drawn: {theirs / ours:.0f} times as fast as the peer (p95)")
    steps, seconds = frames[-1]["step"] - frames[0]["step"], (frames[-1]["now"] - frames[0]["now"]) / 1000
    gaps = np.diff([frame["now"] for frame in frames])
    dropped = int(np.rint(gaps / FRAME - 1).clip(min=0).sum())
    print(
        f"play: {steps} steps, {steps / seconds:.1f} a second, {dropped} frames dropped (asked: 60 a second)"
    )
    print(f"websocket frames sent while pointing and playing: {len(frames_sent)} (asked: 0)")
    size = (ROOT / "ui/explorer/explorer.js").stat().st_size
    print(f"JavaScript: {size:,} bytes (asked: below 30,000)")


if __name__ == "__main__":
    main()
