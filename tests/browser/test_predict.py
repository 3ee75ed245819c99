import pytest
from playwright.sync_api import expect


def card(visitor):
    """The first card with a question; the innermost block around its heading."""
    heading = visitor.page.get_by_role("heading", name="Predict first").first
    return heading.locator("xpath=ancestor::*[@data-testid='stVerticalBlock'][1]")


def say(visitor, answer):
    """Type or choose an answer and press the button at once, as a hand does."""
    here = card(visitor)
    if isinstance(answer, int):
        here.get_by_role("spinbutton", name="Your answer").fill(str(answer))
    else:
        here.get_by_text(answer, exact=True).click()
    here.get_by_role("button", name="Show me").click()


# Page, what a visitor says first, what the card replies, where the figure is read, and what it says then.
PREDICTIONS = {
    "padding-stride": (
        3,
        "you said 3, the page shows 4. That counts",
        "strong",
        "stride 2, padding 1: 4 x 4 out",
    ),
    "why-convolutions": (
        "4 times as many",
        "you said “4 times as many”, the page shows “16 times as many”. The units have become more, too.",
        "strong",
        "56 x 56 pixels in 1 channel, 18,816 hidden units: 59,006,976 weights if dense",
    ),
    "filters": (
        255,
        "you said 255, the page shows 0. The cells with a minus",
        "#sum",
        "255 · 1 + 255 · (−1) = 255 + (−255) = 0",
    ),
    "filters?f-view=Learn+a+kernel": (
        "it grows",
        "the page shows “it shrinks”. That is the way to the true cell, which the step does not know.",
        "strong",
        "After 1 step: loss",
    ),
    "channels": (4, "you said 4, the page shows 12. An output channel", "li", "4 · 3 = 12 kernels"),
    "pooling?p-view=shift+test": (
        "nothing",
        "the page shows “less than in the feature map”. Texts call this invariant.",
        "strong",
        "Shifted by 1 pixel, the change is 0.82 before pooling, 0.22 after max pooling",
    ),
}


@pytest.mark.parametrize("path", PREDICTIONS)
def test_a_visitor_predicts_and_then_the_page_shows_it(visit, path):
    said, reply, place, shown = PREDICTIONS[path]
    visitor = visit(path)
    read = visitor.page.locator(f'[data-testid="stMain"] {place}').filter(has_text=shown)
    expect(card(visitor)).to_contain_text("Think first, then look.")
    expect(read).to_have_count(0)
    say(visitor, said)
    expect(card(visitor)).to_contain_text(reply)
    expect(card(visitor)).to_contain_text("So far: 0 of 1 right.")
    expect(read.first).to_be_visible()
    assert "predict" not in visitor.page.url
    assert visitor.exceptions() == []


def test_a_question_is_asked_again_from_where_the_answer_has_led(visit):
    visitor = visit("padding-stride")
    say(visitor, 4)
    expect(card(visitor)).to_contain_text("Right: the page shows 4.")
    card(visitor).get_by_role("button", name="Ask again").click()
    expect(card(visitor)).to_contain_text("Take stride 3 and padding 2 on each side, with 7 rows in")
    expect(card(visitor).get_by_role("spinbutton")).to_have_value("")
    say(visitor, 3)
    expect(card(visitor)).to_contain_text("Right: the page shows 3.")
    card(visitor).get_by_role("button", name="Next question").click()
    expect(card(visitor)).to_contain_text("Question 2 of 3. Think first, then look. So far: 1 of 1 right.")
    visitor.page.reload()
    expect(card(visitor)).to_contain_text("Question 1 of 3. Think first, then look.")
    assert visitor.exceptions() == []
