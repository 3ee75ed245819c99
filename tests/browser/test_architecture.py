"""The page Architecture as a visitor uses it: the table, the line, the address, and what leads on."""

import re

import pytest
from playwright.sync_api import expect

from cnn_core import onnx_export

SMALL = "conv4k5s3-relu-flatten-10"


class Architecture:
    """The page in a browser."""

    def __init__(self, visitor):
        self.visitor, self.page = visitor, visitor.page
        self.line = self.page.get_by_role("textbox", name="Network in one line")
        self.table = self.page.locator(".layers")

    def button(self, name):
        return self.table.get_by_role("button", name=name, exact=True)

    def type(self, text):
        self.line.fill(text)
        self.line.press("Enter")

    def download(self, name):
        """Press a button and return the file that comes."""
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name=re.compile(f"{name}$")).last.click()
        return download.value


@pytest.fixture
def architecture(visit):
    def architecture(query=f"?a-network={SMALL}", **options):
        return Architecture(visit(f"architecture{query}", **options))

    return architecture


def test_an_edit_reaches_the_line_the_address_and_the_reading_and_is_undone(architecture):
    here = architecture()
    here.button("Remove relu1").click()
    expect(here.line).to_have_value("conv4k5s3-flatten-10")
    here.page.wait_for_url(re.compile("a-network=conv4k5s3-flatten-10"))
    here.page.reload()
    here.visitor.settle()
    expect(here.line).to_have_value("conv4k5s3-flatten-10")
    here.button("Remove flatten").click()
    expect(here.table).to_contain_text("put flatten before it")
    expect(here.page.get_by_text(re.compile("^Up to conv1: 1 x 28 x 28 in, 4 x 8 x 8 out"))).to_be_visible()
    expect(here.page.get_by_role("button", name="Train this")).to_be_disabled()
    here.button("put flatten before it").click()
    expect(here.line).to_have_value("conv4k5s3-flatten-10")
    here.button("Undo").click()
    expect(here.line).to_have_value("conv4k5s3-10")
    assert here.visitor.exceptions() == []


def test_quick_edits_are_all_done_and_the_page_follows(architecture):
    here = architecture()
    press = """(root, names) => names.forEach((name) =>
      [...root.querySelectorAll('button')].find((one) => one.ariaLabel === name).click())"""
    here.table.evaluate(press, ["Remove relu1", "Duplicate linear1", "Move flatten down", "Remove conv1"])
    expect(here.line).to_have_value("10-flatten-10")
    for text in ("conv4k5s3-10-flatten-10", "conv4k5s3-flatten-10-10", "conv4k5s3-flatten-10", SMALL):
        here.button("Undo").click()
        expect(here.line).to_have_value(text)
    assert here.visitor.exceptions() == []


def test_a_line_with_a_mistake_is_underlined_and_the_table_stays_and_can_be_edited(architecture):
    here = architecture()
    here.type("conv4k5s3-rellu-flatten-10")
    expect(here.page.get_by_text('did you mean "relu"')).to_be_visible()
    expect(here.line).to_have_value("conv4k5s3-rellu-flatten-10")
    here.button("Duplicate linear1").click()
    expect(here.line).to_have_value(f"{SMALL}-10")
    expect(here.page.get_by_text('did you mean "relu"')).to_have_count(0)


def test_the_line_may_be_emptied_and_built_up_again(architecture):
    here = architecture()
    here.type("")
    expect(here.table).to_contain_text("No layer yet.")
    here.button("Flatten").click()
    expect(here.line).to_have_value("flatten")
    here.button("Linear").click()
    expect(here.line).to_have_value("flatten-10")
    expect(here.page.get_by_text("7,850 parameters")).to_be_visible()
    assert here.visitor.exceptions() == []


def test_a_published_network_is_shown_with_its_totals_and_cannot_be_edited(architecture):
    here = architecture("")
    here.page.get_by_role("combobox", name=re.compile("Start from")).click()
    here.page.get_by_role("option", name="ResNet-18").click()
    expect(here.table).to_contain_text("11,689,512")
    expect(here.button("Remove conv1")).to_have_count(0)
    here.page.wait_for_url(re.compile("a-network=resnet18"))
    here.table.get_by_role("button", name=re.compile("^Mult-adds of conv1: 118,013,952")).click()
    expect(here.table).to_contain_text("= 118,013,952")
    here.page.get_by_role("combobox", name=re.compile("Start from")).click()
    here.page.get_by_role("option", name="MLP").click()
    expect(here.line).to_have_value("flatten-256-relu-10")
    assert here.visitor.exceptions() == []


def test_train_this_opens_the_trainer_and_what_is_learned_comes_back(architecture):
    here = architecture()
    page = here.page
    page.get_by_role("button", name="Train this").click()
    expect(page.get_by_role("textbox", name="Network in one line")).to_have_value(SMALL)
    epochs = page.get_by_role("slider", name="Epochs")
    epochs.press("Home")
    page.wait_for_url(re.compile("t-epochs=1"))
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_text("Finished.").wait_for()
    here.visitor.settle()
    page.get_by_role("link", name="Open in Architecture").click()
    page.get_by_role("radio", name="Layer by layer").click()
    expect(page.get_by_text("As your last training of this network left them.")).to_be_visible()
    assert here.visitor.exceptions() == []


def test_source_table_and_onnx_are_downloaded(architecture):
    here = architecture()
    assert "parameters" not in here.page.url
    table = here.download("Table as CSV").path().read_text()
    assert table.splitlines()[1].startswith("conv1,conv4k5s3,4x8x8,104,6400,1024,5x5,3x3")
    here.page.get_by_role("button", name="Copy as PyTorch").click()
    source = here.download("Download").path().read_text()
    assert "class Network(nn.Module)" in source
    assert onnx_export.is_available()
    here.page.keyboard.press("Escape")
    onnx = here.download("ONNX").path().read_bytes()
    assert len(onnx) > 4 * (104 + 2570)
    assert b"pytorch" in onnx
    assert here.visitor.exceptions() == []


def test_a_phone_shows_the_table_without_a_wider_page(architecture):
    here = architecture(viewport={"width": 390, "height": 844})
    expect(here.table).to_be_visible()
    assert here.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert here.visitor.exceptions() == []


@pytest.mark.parametrize(
    "network", ["conv6k11p1d2-conv200k5p2-conv300k5p2-avg3-flatten-10", "conv6k31p1d2-avg3-flatten-10"]
)
def test_a_laptop_shows_the_whole_table_also_with_long_names_and_numbers(architecture, network):
    here = architecture(f"?a-network={network}", viewport={"width": 1280, "height": 800})
    expect(here.button("Remove conv1")).to_be_visible()
    assert here.table.locator("#scroll").evaluate("box => box.scrollWidth - box.clientWidth") == 0


def test_where_the_table_scrolls_what_does_not_fit_is_said_right_beside_the_name(architecture):
    here = architecture("?a-network=conv6k31-flatten-10", viewport={"width": 1100, "height": 800})
    cell = here.table.locator(".misfit .why")
    inset = cell.locator("div").bounding_box()["x"] - cell.bounding_box()["x"]
    assert 0 < inset < 10


@pytest.mark.parametrize("network", ["resnet18&a-input=3x224x224", "conv6k5p2-max2-conv16k31-flatten-10"])
def test_a_name_is_cut_only_where_the_numbers_need_the_room(architecture, network):
    here = architecture(f"?a-network={network}", viewport={"width": 1280, "height": 800})
    expect(here.table).to_be_visible()
    cut = here.table.locator(".name span").evaluate_all(
        "spans => spans.filter((span) => span.scrollWidth > span.clientWidth).map((span) => span.textContent)"
    )
    assert cut == []
