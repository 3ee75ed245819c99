import re

import psutil
import pytest
from playwright.sync_api import expect


def button(visitor, name):
    return visitor.page.get_by_role("button", name=name, exact=True)


def text(visitor, words):
    return visitor.page.get_by_text(words)


@pytest.mark.parametrize(
    ("look", "words"),
    [("permuted+pixels", "Permuted, LeNet"), ("less+data", "LeNet is ahead at")],
)
def test_the_kept_results_are_there_at_once_and_nothing_is_started(visit, fresh_server, look, words):
    visitor = visit(f"why-convolutions?w-view={look}", url=fresh_server.url)
    expect(text(visitor, words).first).to_be_visible()
    expect(text(visitor, "Kept with the app: trained on")).to_be_visible()
    expect(visitor.page.get_by_test_id("stVegaLiteChart").locator("canvas, svg").first).to_be_visible()
    assert psutil.Process(fresh_server.process.pid).children(recursive=True) == []
    assert visitor.exceptions() == []


def test_an_experiment_is_started_followed_stopped_and_found_again(visit, fresh_server):
    visitor = visit("why-convolutions?w-view=less+data&w-seeds=1", url=fresh_server.url)
    button(visitor, "Train these again").click()
    expect(text(visitor, "of 12 trainings finished")).to_be_visible()
    expect(text(visitor, "Now: LeNet, 50 pictures, seed 0")).to_be_visible()
    visitor.page.wait_for_url("**why-fewer=*")

    other = visit(visitor.page.url.removeprefix(f"{fresh_server.url}/"), url=fresh_server.url)
    expect(text(other, "Somebody else had these trained.")).to_be_visible()
    expect(text(other, "of 12 trainings finished")).to_be_visible()
    expect(button(other, "Stop all")).to_have_count(0)

    button(visitor, "Stop all").click()
    expect(button(visitor, "Go on")).to_be_visible()
    visitor.page.reload()
    expect(button(visitor, "Go on")).to_be_visible()
    expect(visitor.page.get_by_role("link", name="stopped").first).to_be_visible()
    expect(text(other, "of 12 trainings finished")).to_have_count(0)  # it has seen the end without a click
    assert visitor.exceptions() == other.exceptions() == []


def test_an_entry_of_the_table_opens_its_training(visit, fresh_server):
    visitor = visit("why-convolutions?w-view=permuted+pixels", url=fresh_server.url)
    button(visitor, "Train these again").click()
    expect(button(visitor, "Stop all")).to_be_visible()
    with visitor.page.expect_popup() as opened:
        visitor.page.get_by_role("link", name=re.compile("^place [34]$")).last.click()
    trainer = opened.value
    expect(trainer.get_by_role("heading", name="LeNet trainer")).to_be_visible()
    expect(trainer.get_by_text("pixels permuted").first).to_be_visible()
    trainer.close()
    button(visitor, "Stop all").click()
    expect(button(visitor, "Go on")).to_be_visible()
