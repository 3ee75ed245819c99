"""The explorer on the pages that visitors open: pointing, pinning, playing and editing."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from cnn_core import ops
from cnn_core.plots.theme import DARK, LIGHT
from tests.browser.explorer_host import MEMORY

PAGE = "padding-stride?ps-h-input=5"
LARGE = "padding-stride?ps-h-input=28&ps-h-kernel=5&ps-h-before=2&ps-h-after=2"
X = np.arange(25.0).reshape(5, 5)
KERNEL = np.arange(9.0).reshape(3, 3)
AGREED = "Largest difference between Python and the browser: 0."


class Explorer:
    """The explorer of a page, as a hand and an eye have it."""

    def __init__(self, visitor):
        self.visitor = visitor
        self.page = visitor.page
        self.root = self.page.locator(".explorer")
        self.reading, self.sum, self.server, self.place = (
            self.root.locator(f"#{name}") for name in ("reading", "sum", "server", "place")
        )

    def reload(self):
        self.page.reload()
        self.visitor.settle()

    def remember(self):
        """Read back what is drawn from now on."""
        self.page.evaluate(f"() => {{{MEMORY}}}")
        self.root.evaluate("root => { window.root = root; root.explorer.redraw() }")

    def drawn(self, kind):
        """Read the numbers that a grid shows, by row and column."""
        grids = self.page.evaluate("window.grids()")
        return {
            (row, column): text for row, column, text in next(g["texts"] for g in grids if g["kind"] == kind)
        }

    def grid(self, kind):
        return self.root.locator(f"figure.{kind} canvas").nth(1)

    def numbers(self, name):
        """Return input, kernel or output as the browser has them, at full precision."""
        script = "(root, name) => name === 'output' ? root.explorer.output : root.explorer.numbers[name]"
        return np.array(self.root.evaluate(script, name))

    def position(self, row, column):
        cell = self.root.evaluate("root => root.explorer.cell")
        return {"x": 1 + (column + 0.5) * cell, "y": 1 + (row + 0.5) * cell}

    def point(self, kind, row, column):
        self.grid(kind).hover(position=self.position(row, column))

    def click(self, kind, row, column):
        self.grid(kind).click(position=self.position(row, column))

    def button(self, name):
        return self.root.get_by_role("button", name=name, exact=True)

    def colour(self, kind, row, column, *, share=0.15, layer=0):
        """Return the colour of a pixel of a cell as #rrggbb."""
        script = """(canvas, [row, column, share]) => {
          const cell = canvas.getRootNode().querySelector('.explorer').explorer.cell
          const [x, y] = [1 + (column + share) * cell, 1 + (row + share) * cell]
          const [red, green, blue] = canvas.getContext('2d').getImageData(x, y, 1, 1).data
          return '#' + [red, green, blue].map((part) => part.toString(16).padStart(2, '0')).join('')
        }"""
        return self.root.locator(f"figure.{kind} canvas").nth(layer).evaluate(script, [row, column, share])


@pytest.fixture
def explore(visit):
    """Open a page and find its explorer."""

    def explore(path=PAGE, **options):
        explorer = Explorer(visit(path, **options))
        expect(explorer.reading).not_to_be_empty()
        return explorer

    return explore


def expect_url(explorer, pattern):
    expect(explorer.page).to_have_url(re.compile(pattern))


def wait_for_numbers(explorer, name, expected):
    script = """([root, name, expected]) => {
      const { output, numbers } = root.explorer
      return JSON.stringify(name === 'output' ? output : numbers[name]) === JSON.stringify(expected)
    }"""
    argument = [explorer.root.element_handle(), name, np.array(expected).tolist()]
    explorer.page.wait_for_function(script, arg=argument)


def convolve(x, kernel=KERNEL):
    return ops.corr2d(np.array(x, float), np.array(kernel, float))


# Pointing and pinning


def test_pointing_changes_words_and_labels_and_sends_nothing(explore):
    explorer = explore()
    frames = []
    explorer.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: frames.append(frame)))
    explorer.reload()
    assert frames
    frames.clear()
    for row in range(3):
        for column in range(3):
            explorer.point("output", row, column)
            expect(explorer.reading).to_have_text(
                f"Output row {row}, column {column}: 9 products, "
                f"with input rows {row} to {row + 2} and columns {column} to {column + 2}."
            )
    label = re.compile("^Input, 5 x 5. Marked: rows 2 to 4, columns 2 to 4.$")
    expect(explorer.page.get_by_role("application", name=label)).to_be_visible()
    explorer.point("input", 0, 0)
    expect(explorer.reading).to_contain_text("It feeds 1 of 9 outputs.")
    explorer.point("kernel", 1, 1)
    expect(explorer.reading).to_contain_text("Kernel row 1, column 1 is 4.")
    expect(explorer.grid("kernel")).to_have_attribute("aria-label", re.compile("Kernel row 1, column 1 is 4"))
    explorer.page.mouse.move(2, 2)
    expect(explorer.reading).to_contain_text("Output row 0, column 0")
    assert frames == []


def tab_to(explorer, name):
    grid = explorer.page.get_by_role("application", name=re.compile(f"^{name},"))
    for _ in range(60):
        explorer.page.keyboard.press("Tab")
        if grid.evaluate("grid => grid.getRootNode().activeElement === grid"):
            return grid
    raise AssertionError(f"Tab never reached {name}")


def test_a_click_or_enter_pins_a_cell_for_the_link_and_a_second_one_or_escape_releases_it(explore):
    explorer = explore()
    explorer.click("output", 1, 2)
    expect_url(explorer, r"ps-pin=output\.0\.1\.2\b")
    explorer.reload()
    pinned = re.compile("^Output row 1, column 2:")
    expect(explorer.reading).to_have_text(pinned)
    explorer.point("output", 0, 0)
    expect(explorer.reading).to_have_text(pinned)
    explorer.click("output", 1, 2)
    expect(explorer.page).not_to_have_url(re.compile("ps-pin"))
    explorer.click("input", 4, 3)
    expect_url(explorer, r"ps-pin=input\.0\.4\.3\b")
    explorer.page.keyboard.press("Escape")
    expect(explorer.page).not_to_have_url(re.compile("ps-pin"))
    for name in ("Kernel", "Output"):
        tab_to(explorer, name)
    for key in ("ArrowUp", "ArrowUp", "ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        explorer.page.keyboard.press(key)
    expect_url(explorer, r"ps-pin=output\.0\.1\.2\b")
    expect(explorer.reading).to_have_text(pinned)
    explorer.button("Release the pin").click()
    expect(explorer.page).not_to_have_url(re.compile("ps-pin"))
    assert explorer.visitor.exceptions() == []


# Editing


def test_a_typed_number_changes_the_output_at_once_and_then_python_agrees(explore):
    explorer = explore(f"{PAGE}&ps-server=true")
    expect(explorer.server).to_have_text(AGREED)
    keyboard = explorer.page.keyboard
    tab_to(explorer, "Input")
    for key in ("ArrowRight", "ArrowDown"):
        keyboard.press(key)
    keyboard.type("-7.5")
    keyboard.press("Enter")
    x = X.copy()
    x[1, 1] = -7.5
    np.testing.assert_allclose(explorer.numbers("output")[0], convolve(x))
    expect_url(explorer, r"ps-edited-x=0_1_2_3_4(~|%7E)5_-7\.5_7_8_9(~|%7E)")
    expect(explorer.server).to_have_text(AGREED)
    tab_to(explorer, "Kernel")
    keyboard.type("9")
    keyboard.press("Enter")
    kernel = KERNEL.copy()
    kernel[0, 0] = 9
    np.testing.assert_allclose(explorer.numbers("output")[0], convolve(x, kernel))
    expect_url(explorer, "ps-edited-w=9_1_2")
    expect(explorer.server).to_have_text(AGREED)
    explorer.reload()
    wait_for_numbers(explorer, "output", convolve(x, kernel)[None])
    assert explorer.visitor.exceptions() == []


def test_a_wrong_number_is_refused_in_place_and_a_double_click_offers_the_old_one(explore):
    explorer = explore()
    explorer.grid("input").focus()
    keyboard = explorer.page.keyboard
    editor = explorer.root.get_by_label("New number")
    for text in ("5000", "-1000.5", "1e9", "0.00001", "-", "e", "1/3", "0,5", "1 2", "0x1", "."):
        keyboard.press("F2")
        keyboard.press("Control+a")
        keyboard.type(text)
        keyboard.press("Enter")
        expect(editor).to_be_focused()
        keyboard.press("Escape")
        expect(editor).to_have_count(0)
        expect(explorer.grid("input")).to_be_focused()
        np.testing.assert_array_equal(explorer.numbers("input")[0], X)
    keyboard.press("F2")
    keyboard.type("8")
    keyboard.press("Escape")
    np.testing.assert_array_equal(explorer.numbers("input")[0], X)
    assert "edited" not in explorer.page.url
    explorer.grid("kernel").dblclick(position=explorer.position(1, 1))
    expect(editor).to_have_value("4")
    editor.fill("-2.5")
    editor.press("Enter")
    expect_url(explorer, r"ps-edited-w=0_1_2(~|%7E)3_-2\.5_5")
    expect(explorer.page).not_to_have_url(re.compile("ps-pin"))


def test_a_drag_paints_and_buttons_fill_both_grids(explore):
    explorer = explore()
    explorer.root.get_by_role("checkbox", name="Paint with").check()
    explorer.root.get_by_label("Number to paint with").fill("6")
    box = explorer.grid("input").bounding_box()
    first, last = explorer.position(2, 0), explorer.position(2, 3)
    mouse = explorer.page.mouse
    mouse.move(box["x"] + first["x"], box["y"] + first["y"])
    mouse.down()
    mouse.move(box["x"] + last["x"], box["y"] + last["y"], steps=12)
    mouse.up()
    painted = X.copy()
    painted[2, :4] = 6
    np.testing.assert_array_equal(explorer.numbers("input")[0], painted)
    expect_url(explorer, "(~|%7E)6_6_6_6_14(~|%7E)")
    edge = np.zeros((5, 5))
    edge[:, :2] = 9
    for name, expected in {"Clear": X * 0, "Edge": edge, "The book's": X}.items():
        explorer.button(f"Input: {name}").click()
        np.testing.assert_array_equal(explorer.numbers("input")[0], expected)
        np.testing.assert_allclose(explorer.numbers("output")[0], convolve(expected))
    explorer.button("Input: Random").click()
    random = explorer.numbers("input")
    assert set(random.flat) <= set(range(10))
    assert len(set(random.flat)) > 1
    explorer.button("Kernel: Clear").click()
    np.testing.assert_array_equal(explorer.numbers("output"), np.zeros((1, 3, 3)))
    explorer.button("Kernel: Edge").click()
    assert explorer.numbers("kernel").tolist() == [[[1, 0, -1]] * 3]
    explorer.button("Kernel: The book's").click()
    np.testing.assert_allclose(explorer.numbers("output")[0], convolve(random[0]))
    expect_url(explorer, f"ps-edited-x={'_'.join(f'{number:g}' for number in random[0, 0])}(~|%7E)")
    assert explorer.visitor.exceptions() == []


def test_a_frame_changed_on_its_way_is_refused_and_the_old_numbers_come_back(explore):
    explorer = explore()

    def tamper(socket):
        server = socket.connect_to_server()
        socket.on_message(lambda message: server.send(message.replace(b"777", b"1e9")))

    explorer.page.route_web_socket(re.compile("_stcore/stream"), tamper)
    explorer.reload()
    for kind in ("input", "kernel"):
        explorer.grid(kind).focus()
        explorer.page.keyboard.type("777")
        explorer.page.keyboard.press("Enter")
        refused = explorer.page.get_by_text(
            re.compile(f"{kind} 1e.09 is not between .* The numbers are as they were")
        )
        expect(refused).to_be_visible()
        wait_for_numbers(explorer, "output", convolve(X)[None])
        np.testing.assert_array_equal(explorer.numbers("input")[0], X)
    assert "edited" not in explorer.page.url
    explorer.page.keyboard.type("5")
    explorer.page.keyboard.press("Enter")
    expect_url(explorer, "ps-edited-w=5_1_2")
    expect(explorer.page.get_by_text("The numbers are as they were")).to_have_count(0)
    assert explorer.visitor.exceptions() == []


# Playing


def test_steps_fill_the_output_one_by_one_forward_and_back(explore):
    explorer = explore()
    explorer.remember()
    full = {at: f"{number:g}" for at, number in np.ndenumerate(convolve(X))}
    assert explorer.drawn("output") == full
    expect(explorer.place).to_have_text("9 of 9")
    for step in (1, 2):
        explorer.button("Step forward").click()
        expect(explorer.place).to_have_text(f"{step} of 9")
        assert explorer.drawn("output") == dict(list(full.items())[:step])
    expect(explorer.reading).to_have_text(re.compile("^Output row 0, column 1:"))
    explorer.button("Step back").click()
    expect(explorer.place).to_have_text("1 of 9")
    explorer.root.get_by_label("Step", exact=True).fill("5")
    assert explorer.drawn("output") == dict(list(full.items())[:5])
    expect(explorer.reading).to_have_text(re.compile("^Output row 1, column 1:"))


def test_play_runs_at_the_chosen_speed_until_paused_or_done_or_less_motion_is_wished_for(explore):
    explorer = explore(LARGE)
    explorer.root.get_by_label("Steps a second").fill("60")
    explorer.button("Play").click()
    expect(explorer.place).to_have_text(re.compile(r"^(?!784)\d{2,3} of 784$"))
    explorer.button("Pause").click()
    expect(explorer.button("Play")).to_be_visible()
    stood = explorer.place.inner_text()
    script = "root => new Promise((done) => setTimeout(() => done(root.explorer.step), 200))"
    assert explorer.root.evaluate(script) == int(stood.split()[0]) < 784
    explorer.root.get_by_label("Step", exact=True).fill("775")
    explorer.button("Play").click()
    expect(explorer.place).to_have_text("784 of 784")
    expect(explorer.button("Play")).to_be_visible()
    explorer.button("Play").click()
    expect(explorer.button("Pause")).to_be_visible()
    explorer.page.emulate_media(reduced_motion="reduce")
    expect(explorer.button("Play")).to_be_visible()


def test_another_layer_in_the_midst_of_a_play_begins_anew(explore):
    explorer = explore()
    explorer.root.get_by_label("Steps a second").fill("1")
    explorer.button("Play").click()
    expect(explorer.button("Pause")).to_be_visible()
    explorer.page.get_by_text("transposed", exact=True).click()
    expect(explorer.place).to_have_text("25 of 25")
    expect(explorer.button("Play")).to_be_visible()
    expect(explorer.reading).to_have_text(re.compile("^Output row 0, column 0:"))
    assert explorer.visitor.exceptions() == []


def test_a_transposed_convolution_puts_kernels_down_input_by_input(explore):
    explorer = explore("padding-stride?ps-operation=transposed&ps-h-input=3&ps-h-kernel=2&ps-h-stride=2")
    x, kernel = np.arange(9.0).reshape(1, 1, 3, 3), np.arange(4.0).reshape(1, 1, 2, 2)
    np.testing.assert_allclose(explorer.numbers("output"), ops.conv_transpose2d(x, kernel, stride=2)[0])
    explorer.root.get_by_label("Step", exact=True).fill("5")
    expect(explorer.place).to_have_text("5 of 9")
    expect(explorer.reading).to_contain_text("Input row 1, column 1 is 4. It feeds 4 of 36 outputs.")
    so_far = np.where(np.arange(9).reshape(3, 3) < 5, x, 0)
    np.testing.assert_allclose(explorer.numbers("output"), ops.conv_transpose2d(so_far, kernel, stride=2)[0])


# Size and colours


def assert_nothing_overflows(page):
    script = """() => [document.scrollingElement, document.querySelector('[data-testid="stMain"]')]
      .map(({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth])"""
    for scroll_width, client_width in page.evaluate(script):
        assert scroll_width <= client_width
    rights = page.locator(".explorer").evaluate(
        "root => [...root.querySelectorAll('figure, .bar > *, p')].map((one) => one.getBoundingClientRect().right)"
    )
    assert max(rights) <= page.evaluate("document.scrollingElement.clientWidth")


@pytest.mark.parametrize("path", [LARGE, "channels?c-sum-input=28&c-sum-kernel=5&c-sum-padding=2"])
def test_nothing_overflows_on_a_telephone(explore, path):
    explorer = explore(path, viewport={"width": 390, "height": 844})
    assert_nothing_overflows(explorer.page)


def test_the_grids_shrink_with_the_window_also_after_an_edit(explore):
    explorer = explore(LARGE)
    wide = explorer.grid("input").bounding_box()["width"]
    explorer.button("Input: Edge").click()
    expect_url(explorer, "ps-edited-x=9_9_9")
    explorer.page.set_viewport_size({"width": 390, "height": 844})
    explorer.page.wait_for_function(
        "([root, wide]) => root.querySelector('figure.input canvas').clientWidth < Math.min(wide, 380)",
        arg=[explorer.root.element_handle(), wide],
    )
    assert_nothing_overflows(explorer.page)


def expect_colours(explorer, palette):
    explorer.page.wait_for_function(
        "([root, colour]) => getComputedStyle(root).getPropertyValue('--accent') === colour",
        arg=[explorer.root.element_handle(), palette.accent],
    )
    assert explorer.colour("kernel", 2, 2) == palette.signed[-1]
    assert explorer.colour("kernel", 0, 0) == palette.neutral
    explorer.point("output", 1, 1)
    assert explorer.colour("output", 1, 1, share=0, layer=1) == palette.accent


def test_light_and_dark_draw_with_the_palettes_colours_and_change_while_open(explore):
    explorer = explore(color_scheme="light")
    expect_colours(explorer, LIGHT)
    explorer.page.emulate_media(color_scheme="dark")
    expect_colours(explorer, DARK)
