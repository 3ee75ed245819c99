"""The explorer alone on a blank page, which remembers what is drawn on each canvas and points at cells."""

import json
from typing import Any

from ui import explorer

MEMORY = """
const memory = new WeakMap()
const wrap = (name, keep) => {
  const real = CanvasRenderingContext2D.prototype[name]
  CanvasRenderingContext2D.prototype[name] = function (...all) {
    if (!memory.has(this.canvas)) memory.set(this.canvas, { texts: [], boxes: [] })
    keep(memory.get(this.canvas), all, this)
    return real.apply(this, all)
  }
}
wrap('clearRect', (drawn) => Object.assign(drawn, { texts: [], boxes: [] }))
wrap('fillText', ({ texts }, text) => texts.push(text))
wrap('strokeRect', ({ boxes }, box, { strokeStyle }) => boxes.push([...box, strokeStyle]))

const figures = () => [...window.root.querySelectorAll('figure')]
const figure = (kind, channel) => figures().filter((one) => one.className === kind)[channel]
const place = ([text, x, y]) => {
  const { cell } = window.root.explorer
  return [Math.round(y / cell - 0.48), Math.round(x / cell - 0.5), text]
}
const canvases = (figure) => [...figure.querySelectorAll('canvas')].map((canvas) => memory.get(canvas))

/** Read back each grid: what it shows, and where. */
window.grids = () =>
  figures().map((figure) => ({ kind: figure.className, texts: canvases(figure)[0].texts.map(place) }))

/** Point at a cell as a mouse does, and read what is said and marked. */
window.pointAt = ([kind, channel, [row, column]]) => {
  const [, over] = figure(kind, channel).querySelectorAll('canvas')
  const { left, top } = over.getBoundingClientRect()
  const { cell } = window.root.explorer
  const [clientX, clientY] = [left + 1 + (column + 0.5) * cell, top + 1 + (row + 0.5) * cell]
  over.dispatchEvent(new PointerEvent('pointermove', { clientX, clientY, bubbles: true, composed: true }))
  const marks = figures().map((figure) => {
    const { boxes, texts } = canvases(figure)[1]
    const inner = boxes.filter(([, , width]) => width === cell - 4)
    return {
      kind: figure.className,
      label: figure.querySelectorAll('canvas')[1].ariaLabel,
      cells: inner.map(([x, y]) => [Math.round(y / cell), Math.round(x / cell)]),
      texts: texts.map(([text, x, y]) => [Math.round((y + 4) / cell) - 1, Math.round((x + 2) / cell) - 1, text]),
    }
  })
  const [reading, sum] = ['reading', 'sum'].map((id) => document.getElementById(id).textContent)
  return { reading, sum, marks }
}

window.sent = []
window.show = (data) => {
  window.mount({ data, parentElement: document.body, setStateValue: (...all) => window.sent.push(all) })
  const { cell, output, partial, gradient } = window.root.explorer
  return { cell, output, partial, gradient, grids: window.grids() }
}
"""
"""What the page remembers and offers to the tests."""

_START = """async (script) => {
  const file = new Blob([script], { type: 'text/javascript' })
  window.mount = (await import(URL.createObjectURL(file))).default
  window.root = document.querySelector('.explorer')
}"""


class Host:
    """A page with nothing but the explorer on it."""

    def __init__(self, browser: Any) -> None:
        self.problems: list[str] = []
        self.page = browser.new_page(viewport={"width": 1200, "height": 900})
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.add_init_script(MEMORY)
        self.page.goto("about:blank")
        self.page.set_content(f"<style>{explorer._FILES['css']}</style>{explorer._HTML}")
        self.page.evaluate(_START, explorer._FILES["js"])

    def show(self, *payloads: dict[str, Any]) -> list[dict[str, Any]]:
        """Show one scene after the other, and return what was computed and drawn for each."""
        return self._evaluate("all => all.map(window.show)", payloads)

    def point(self, payload: dict[str, Any], cells: list[tuple]) -> list[dict[str, Any]]:
        """Show a scene and point at cells (kind, channel, (row, column)); return what is said and marked."""
        return self._evaluate(
            "([data, cells]) => (window.show(data), cells.map(window.pointAt))", [payload, cells]
        )

    def _evaluate(self, script: str, argument: Any) -> Any:
        # Text crosses the border faster than nested lists do.
        code = f"text => JSON.stringify(({script})(JSON.parse(text)))"
        answer = json.loads(self.page.evaluate(code, json.dumps(argument)))
        assert self.problems == []
        return answer
