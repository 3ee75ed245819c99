"""The layer table as a hand and an eye have it: editing, moving, undoing, and the arithmetic of a number."""

import re

import pytest
from playwright.sync_api import expect

from cnn_core.plots.theme import DARK, LIGHT
from tests.browser.conftest import ROOT, Server

TEXT = "conv6k5p2-relu-max2-flatten-10"
MISFIT = "conv6k5-relu-120-10"


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """Start a server with the table alone."""
    log = tmp_path_factory.mktemp("host") / "server.log"
    server = Server({"PYTHONPATH": str(ROOT)}, log, script="tests/browser/layer_table_host.py")
    yield server.url
    server.stop()


class Table:
    """The table on its page."""

    def __init__(self, visitor):
        self.visitor, self.page = visitor, visitor.page
        self.root = self.page.locator(".layers")
        self.rows = self.root.locator("tr.layer")

    def button(self, name):
        return self.root.get_by_role("button", name=name, exact=True)

    def field(self, name):
        return self.root.get_by_label(name, exact=True)

    def open(self, name):
        """Open or close the settings of a layer."""
        self.rows.filter(has=self.page.locator("b", has_text=re.compile(f"^{name}$"))).locator(
            ".name"
        ).click()

    def press(self, *names):
        """Press buttons before any answer can come."""
        script = """(root, names) => names.forEach((name) =>
          [...root.querySelectorAll('button')].find((one) => (one.ariaLabel ?? one.textContent) === name).click())"""
        self.root.evaluate(script, names)

    def expect_text(self, text):
        """Wait until the page has these layers."""
        expect(self.page.get_by_test_id("stText")).to_have_text(f"Network: {text}")

    def expect_network(self, text):
        """Wait until page and table show these layers."""
        self.expect_text(text)
        words = [part for part in text.split("-") if part]
        expect(self.rows.locator(".name > span")).to_have_text(words)
        expect(self.root).to_have_attribute("aria-busy", "false")


@pytest.fixture
def open_table(visit, host):
    """Open the table of a network."""

    def open_table(text=TEXT, query="", **options):
        table = Table(visit(f"?network={text}{query}", url=host, **options))
        table.expect_network(text)
        return table

    return open_table


# Editing


def test_a_typed_value_changes_the_layer_and_the_field_keeps_the_focus(open_table):
    table = open_table()
    table.open("conv1")
    expect(table.field("Output channels")).to_have_value("6")
    table.field("Output channels").fill("8")
    table.field("Output channels").press("Enter")
    table.expect_network("conv8k5p2-relu-max2-flatten-10")
    expect(table.button("Parameters of conv1: 208")).to_be_visible()
    expect(table.field("Output channels")).to_be_focused()
    table.field("Kernel size").fill("5 x 3")
    table.field("Kernel size").press("Tab")
    table.expect_network("conv8k5x3p2-relu-max2-flatten-10")
    expect(table.field("Stride")).to_be_focused()
    assert table.visitor.exceptions() == []


def test_what_is_typed_while_an_answer_is_awaited_is_not_lost(open_table):
    table = open_table()
    table.open("conv1")
    table.field("Kernel size").select_text()
    table.page.keyboard.type("3")
    table.page.keyboard.press("Tab")
    for key in "4x5":
        table.page.keyboard.press(key, delay=70)
    table.expect_text("conv6k3p2-relu-max2-flatten-10")
    expect(table.field("Stride")).to_have_value("4x5")
    table.page.keyboard.press("Enter")
    table.expect_network("conv6k3s4x5p2-relu-max2-flatten-10")
    expect(table.field("Stride")).to_have_value("4 x 5")


def test_a_value_that_cannot_be_stays_in_its_field_with_the_reason(open_table):
    table = open_table()
    table.open("conv1")
    for name, typed, words in [
        ("Kernel size", "big", 'Kernel size "big" is not a whole number, or two such as 5 x 3.'),
        ("Groups", "4", "Output channels 6 is not a multiple of groups 4."),
    ]:
        table.field(name).fill(typed)
        table.field(name).press("Enter")
        expect(table.root.get_by_text(f"{words} Nothing was changed.")).to_be_visible()
        expect(table.root.locator("[aria-invalid=true]")).to_have_value(typed)
        expect(table.root.locator("[aria-invalid=true]")).to_be_focused()
    table.expect_network(TEXT)
    table.page.keyboard.press("Escape")
    table.open("conv1")
    expect(table.field("Groups")).to_have_value("1")
    expect(table.root.locator("[aria-invalid=true]")).to_have_count(0)


@pytest.mark.parametrize(
    ("name", "value", "word"), [("Output channels", "26", "conv26k5p2"), ("Padding", "22", "conv6k5p22")]
)
def test_each_press_of_an_arrow_counts_while_answers_to_earlier_ones_come_in(open_table, name, value, word):
    table = open_table()
    table.open("conv1")
    for _ in range(20):
        table.field(name).press("ArrowUp")
    table.expect_network(TEXT.replace("conv6k5p2", word))
    expect(table.field(name)).to_have_value(value)


def test_arrows_step_a_pair_and_a_list_offers_other_kinds(open_table):
    table = open_table()
    table.open("conv1")
    for _ in range(3):
        table.field("Padding").press("ArrowDown")
    table.expect_network("conv6k5-relu-max2-flatten-10")
    table.field("Output channels").press("ArrowUp")
    table.expect_network("conv7k5-relu-max2-flatten-10")
    table.open("relu1")
    expect(table.field("Kind")).to_have_value("ReLU")
    table.field("Kind").focus()
    table.field("Kind").select_option("Tanh")
    table.expect_network("conv7k5-tanh-max2-flatten-10")
    expect(table.field("Kind")).to_be_focused()
    table.open("pool1")
    expect(table.field("Stride")).to_have_attribute("placeholder", "as the window")
    table.field("Kind").select_option("Average")
    table.expect_network("conv7k5-tanh-avg2-flatten-10")
    table.open("flatten")
    expect(table.root.get_by_text("This layer has nothing to set.")).to_be_visible()


# Adding, moving, removing


def test_a_layer_is_added_at_the_end_or_after_the_open_one(open_table):
    table = open_table()
    table.button("Dropout").click()
    table.expect_network(f"{TEXT}-drop0.5")
    table.open("conv1")
    expect(table.root.get_by_text("Add a layer after conv1:")).to_be_visible()
    table.button("Batch norm").click()
    table.expect_network("conv6k5p2-norm-relu-max2-flatten-10-drop0.5")
    expect(table.root.get_by_text("Add a layer after norm1:")).to_be_visible()
    table.press("Convolution", "Tanh")
    table.expect_network("conv6k5p2-norm-conv6k3p1-tanh-relu-max2-flatten-10-drop0.5")
    expect(table.root.get_by_role("group", name="Settings of tanh1")).to_be_visible()


def test_rows_are_moved_duplicated_and_removed_by_their_buttons(open_table):
    table = open_table()
    table.button("Move relu1 up").click()
    table.expect_network("relu-conv6k5p2-max2-flatten-10")
    expect(table.button("Move relu1 up")).to_be_focused()
    expect(table.button("Move relu1 up")).to_have_attribute("aria-disabled", "true")
    table.button("Duplicate pool1").click()
    table.expect_network("relu-conv6k5p2-max2-max2-flatten-10")
    table.button("Remove conv1").click()
    table.expect_network("relu-max2-max2-flatten-10")
    expect(table.root.get_by_role("status").filter(has_text="conv1 removed.")).to_be_visible()
    expect(table.rows.nth(1).locator(".name")).to_be_focused()


def test_a_row_is_moved_by_keyboard_and_keeps_the_focus(open_table):
    table = open_table()
    table.rows.nth(0).locator(".name").focus()
    for text in ("relu-conv6k5p2-max2-flatten-10", "relu-max2-conv6k5p2-flatten-10"):
        table.page.keyboard.press("Alt+ArrowDown")
        table.expect_network(text)
        expect(table.root.locator(".name", has_text="conv1")).to_be_focused()
    for _ in range(3):
        table.page.keyboard.press("Alt+ArrowUp")
    table.expect_network(TEXT)
    table.page.keyboard.press("Delete")
    table.page.keyboard.press("Enter")
    expect(table.field("Output channels")).to_be_focused()
    table.expect_network(TEXT)


def test_a_row_that_changes_nothing_but_its_place_keeps_the_focus_too(open_table):
    table = open_table("conv6k5p2-relu-drop0.5-tanh-flatten-10")
    table.root.locator(".name", has_text="tanh1").focus()
    for text in ("conv6k5p2-relu-tanh-drop0.5-flatten-10", "conv6k5p2-tanh-relu-drop0.5-flatten-10"):
        table.page.keyboard.press("Alt+ArrowUp")
        table.expect_network(text)
        expect(table.root.locator(".name", has_text="tanh1")).to_be_focused()


def test_a_row_is_dragged_to_another_place(open_table):
    table = open_table()
    table.rows.nth(0).locator("i").drag_to(table.rows.nth(2))
    table.expect_network("relu-max2-conv6k5p2-flatten-10")


def test_quick_clicks_all_count_and_mean_the_row_they_were_made_on(open_table):
    table = open_table("conv6k5p2-relu-max2-tanh-sigmoid-flatten-10")
    table.press(
        "Remove relu1", "Move conv1 down", "Remove tanh1", "Remove tanh1", "Linear", "Move conv1 down"
    )
    table.expect_network("max2-sigmoid-conv6k5p2-flatten-10-10")
    expect(table.root.locator("#refused")).to_be_empty()
    for _ in range(5):
        table.button("Undo").click()
    table.expect_network("conv6k5p2-relu-max2-tanh-sigmoid-flatten-10")


@pytest.mark.parametrize("delay", [0, 150, 230], ids=lambda delay: f"{delay} ms")
def test_a_double_click_moves_a_row_twice_and_removes_one_row_only(open_table, delay):
    table = open_table()
    table.button("Move conv1 down").dblclick(delay=delay)
    table.expect_network("relu-max2-conv6k5p2-flatten-10")
    table.button("Remove pool1").dblclick(delay=delay)
    table.expect_network("relu-conv6k5p2-flatten-10")
    table.page.wait_for_timeout(300)
    table.expect_network("relu-conv6k5p2-flatten-10")


def test_what_was_removed_comes_back_by_undo(open_table):
    table = open_table()
    expect(table.button("Undo")).to_have_attribute("aria-disabled", "true")
    table.button("Remove conv1").click()
    table.expect_network("relu-max2-flatten-10")
    table.button("Undo").click()
    table.expect_network(TEXT)
    expect(table.button("Undo")).to_be_focused()
    table.button("Redo").click()
    table.expect_network("relu-max2-flatten-10")
    table.page.get_by_label("Another network").fill("flatten-20")
    table.page.keyboard.press("Enter")
    table.expect_network("flatten-20")
    table.button("Undo").click()
    table.expect_network("relu-max2-flatten-10")


def test_without_layers_the_table_says_so_and_takes_the_first_one(open_table):
    table = open_table("10")
    table.button("Remove linear1").click()
    table.expect_network("")
    expect(table.root.get_by_text("No layer yet.")).to_be_visible()
    table.button("Flatten").click()
    table.expect_network("flatten")


# Numbers


def test_a_number_opens_its_arithmetic_and_one_thing_is_open_at_a_time(open_table):
    table = open_table()
    below = table.root.locator(".below")
    number = table.button("Parameters of conv1: 156")
    number.click()
    expect(below).to_have_text("Parameters of conv1Step156 = 156Result156")
    table.open("conv1")
    expect(below).to_have_count(1)
    expect(table.field("Padding")).to_be_visible()
    number.click()
    expect(number).to_have_attribute("aria-expanded", "true")
    table.button("Move conv1 down").click()
    table.expect_network("relu-conv6k5p2-max2-flatten-10")
    expect(below).to_contain_text("Parameters of conv1")
    table.page.keyboard.press("Escape")
    expect(below).to_have_count(0)
    expect(number).to_be_focused()
    number.dblclick()
    expect(below).to_have_count(1)
    number.click()
    expect(below).to_have_count(0)


def test_the_costliest_layer_is_named_so(open_table):
    table = open_table()
    expect(table.button("Parameters of linear1: 11,770, the most of all layers")).to_be_visible()
    shares = [
        number.evaluate("one => getComputedStyle(one.parentElement).backgroundSize")
        for number in table.root.get_by_label(re.compile("^Parameters of")).all()
    ]
    assert [share.partition(" ")[0].partition("%")[0] for share in shares] != shares
    expect(table.root.locator("tfoot")).to_contain_text("11,926")


def test_a_layer_that_does_not_fit_says_why_and_a_button_helps(open_table):
    table = open_table(MISFIT)
    row = table.rows.nth(2)
    expect(row).to_contain_text("linear1")
    expect(row.locator(".why svg")).to_be_visible()
    expect(row.locator(".why span")).not_to_be_empty()
    expect(table.rows.nth(3)).to_contain_text("waits for the layer above")
    table.open("linear1")
    expect(table.field("Outputs")).to_have_value("120")
    table.button("Flatten first").dblclick()
    table.expect_network("conv6k5-relu-flatten-120-10")
    expect(table.root.locator(".why")).to_have_count(0)
    expect(table.field("Outputs")).to_have_value("120")
    assert table.visitor.exceptions() == []


def test_read_only_there_is_nothing_but_the_numbers(open_table):
    table = open_table(query="&read-only=yes")
    expect(table.button("Undo")).to_have_count(0)
    expect(table.root.get_by_role("button", name=re.compile("Settings|Move|Remove|Linear"))).to_have_count(0)
    table.button("Parameters of conv1: 156").click()
    expect(table.root.locator(".below")).to_contain_text("156 = 156")
    table.page.keyboard.press("Alt+ArrowDown")
    table.expect_network(TEXT)


# Size and colours


def test_on_a_telephone_the_table_scrolls_and_the_page_does_not(open_table):
    table = open_table(MISFIT, viewport={"width": 390, "height": 844})
    width = "() => document.querySelector('[data-testid=\"stMain\"]').scrollWidth"
    assert table.page.evaluate(width) <= 390
    for name in ("conv1", "linear1"):
        table.open(name)
        edge = table.field("Output channels" if name == "conv1" else "Outputs").bounding_box()
        assert edge["x"] + edge["width"] <= 390
        assert table.page.evaluate(width) <= 390
    help_box = table.button("Flatten first").bounding_box()
    assert help_box["x"] + help_box["width"] <= 390
    before = table.rows.nth(0).locator(".name").bounding_box()
    table.button("Remove conv1").scroll_into_view_if_needed()
    table.page.wait_for_function(
        "root => root.querySelector('#scroll').scrollLeft > 100", arg=table.root.element_handle()
    )
    after = table.rows.nth(0).locator(".name").bounding_box()
    assert after["x"] == before["x"]


def test_all_rows_are_equally_high(open_table):
    table = open_table("conv6k5x3s2x1p2d2g2-relu-max2-flatten-10")
    assert len({row.bounding_box()["height"] for row in table.rows.all()}) == 1


def test_light_and_dark_use_the_palettes_accent_and_change_while_open(open_table):
    table = open_table(color_scheme="light")
    for scheme, palette in (("light", LIGHT), ("dark", DARK)):
        table.page.emulate_media(color_scheme=scheme)
        red, green, blue = bytes.fromhex(palette.accent[1:])
        expect(table.root.locator(".most").first).to_have_css("color", f"rgb({red}, {green}, {blue})")
