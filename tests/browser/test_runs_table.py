import re

import pytest
from playwright.sync_api import expect
from safetensors.numpy import load as from_safetensors

QUICK = "lenet-trainer?t-network=conv2k5-flatten-10&t-epochs=1"
ROW = 35
NASTY = '<img src=x onerror="document.title=1">'


def grid(page):
    return page.locator('.st-key-t-runs [data-testid="stDataFrame"]')


def tick(page, *rows):
    """Click the boxes of some rows; the table is a canvas."""
    for row in rows:
        grid(page).click(position={"x": 17, "y": ROW * (row + 1) + ROW // 2})


def cell(page, row, text):
    """A cell in the table that the canvas keeps for those who cannot see it."""
    return grid(page).locator(f'[role="row"][aria-rowindex="{row + 2}"]', has_text=text)


def button(page, name):
    """A button of the ticked run; one of the run that was ticked before may still be on its way out."""
    return page.locator(f'[class*="st-key-t-run-{name}-"] button').filter(visible=True).last


def train(page):
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("Finished.")).to_be_visible()
    expect(cell(page, 0, "finished")).to_be_attached()


def test_a_run_is_repeated_bit_by_bit_then_with_another_seed_and_the_curves_are_overlaid(visit):
    visitor = visit(QUICK)
    page = visitor.page
    train(page)
    tick(page, 0)
    button(page, "same-seed").click()
    expect(page.get_by_text("Submitted: the same settings with seed 0.").last).to_be_visible()
    button(page, "other-seed").click()
    expect(page.get_by_text("Submitted: the same settings with seed 1.").last).to_be_visible()

    name = page.get_by_role("textbox", name="Name", exact=True)
    name.click()
    page.keyboard.type("half ty")
    # The table looks by itself, and what is being typed stays.
    expect(page.get_by_text("Bit-identical:").last).to_be_visible()
    expect(cell(page, 2, "finished")).to_be_attached()
    expect(cell(page, 0, "finished")).to_be_attached()
    expect(name).to_be_focused()
    page.keyboard.type(f"ped {NASTY}")
    page.keyboard.press("Enter")
    expect(cell(page, 2, f"half typed {NASTY}")).to_be_attached()

    tick(page, 0, 1)
    chart = page.locator('[data-testid="stVegaLiteChart"] svg').last
    for text in (f"half typed {NASTY}", "seed 1", "seed 0"):
        expect(chart.get_by_text(text)).to_be_visible()
    page.get_by_role("radio", name="Training loss").click()
    page.wait_for_url("**t-runs-curves=Training*")
    expect(chart.get_by_text("training loss")).to_be_visible()
    assert page.title() != "1"
    assert visitor.exceptions() == []


def test_a_run_is_taken_away_and_deleted(visit):
    visitor = visit(QUICK)
    page = visitor.page
    train(page)
    tick(page, 0)
    button(page, "other-seed").click()
    expect(cell(page, 1, "finished")).to_be_attached()
    expect(cell(page, 0, "finished")).to_be_attached()
    tick(page, 0, 1)
    page.get_by_role("button", name="Take away").click()
    with page.expect_download() as download:
        page.get_by_test_id("stPopoverBody").get_by_role("button", name=re.compile("Weights$")).click()
    assert from_safetensors(download.value.path().read_bytes())["conv1.weight"].shape == (2, 1, 5, 5)
    page.keyboard.press("Escape")

    button(page, "open").click()
    expect(button(page, "open")).to_be_disabled()
    visitor.settle()
    page.wait_for_function("[...document.images].every(image => image.complete)")
    button(page, "delete").click()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_text("Nothing trained yet")).to_be_visible()
    expect(cell(page, 1, "finished")).to_have_count(0)
    assert "run=" not in page.url
    assert visitor.exceptions() == []


def test_the_runs_of_a_browser_are_its_own_when_it_was_closed_meanwhile(visit):
    before = visit(QUICK)
    train(before.page)
    kept = [each for each in before.page.context.cookies() if each["expires"] > 0]
    after = visit("lenet-trainer", storage_state={"cookies": kept, "origins": []})
    expect(cell(after.page, 0, "finished")).to_be_attached()
    tick(after.page, 0)
    expect(button(after.page, "delete")).to_be_visible()
    stranger = visit("lenet-trainer")
    expect(stranger.page.get_by_text("No runs yet")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_visitor_with_a_link_may_look_and_repeat_but_not_change(visit, width):
    owner = visit(QUICK)
    train(owner.page)
    run = re.search("run=[^&]+", owner.page.url)[0]
    guest = visit(f"lenet-trainer?{run}", viewport={"width": width, "height": 900})
    page = guest.page
    expect(page.get_by_text("Finished.")).to_be_visible()
    tick(page, 0)
    expect(page.get_by_role("button", name="Again with the same seed")).to_be_visible()
    for name in ("Delete", "Name", "Note"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
        expect(page.get_by_role("textbox", name=name, exact=True)).to_have_count(0)
    expect(page.get_by_text("because of another network")).to_be_visible()
    page.get_by_role("button", name="Same initial weights, other settings").click()
    expect(page.get_by_role("textbox", name="Network in one line")).to_have_value("conv2k5-flatten-10")
    expect(page.get_by_text("Start would begin with the same weights as this run")).to_be_visible()
    page.wait_for_url("**t-network=conv2k5-flatten-10*")
    assert guest.exceptions() == []
