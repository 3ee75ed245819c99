import json
import re

from playwright.sync_api import expect
from safetensors.numpy import load as from_safetensors

ACCURACY = '[data-testid="stMetric"]:has-text("Test accuracy") [data-testid="stMetricValue"]'
CURVES = '[data-testid="stVegaLiteChart"] svg'


def test_the_defaults_train_to_the_end_while_the_visitor_looks_at_other_pages(visit):
    visitor = visit("lenet-trainer")
    page = visitor.page
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_text(re.compile(r"Epoch \d+ of 10, [\d,]+ examples a second, about .* left")).wait_for()
    page.wait_for_url("**run=*")
    address = page.url

    page.get_by_role("link", name="Home").click()
    visitor.settle()
    assert "run=" not in page.url
    page.get_by_role("link", name="LeNet trainer").first.click()
    page.wait_for_url(address)
    page.reload()
    page.get_by_text("Finished.").wait_for()
    visitor.settle()
    assert page.url == address
    assert float(page.locator(ACCURACY).inner_text()) > 0.9
    assert page.get_by_text("relu2: 16 feature maps of 10 x 10.").is_visible()
    assert visitor.exceptions() == []

    page.get_by_role("button", name="Next wrong one").click()
    page.get_by_text(re.compile(r"That is wrong: it shows \d")).wait_for()
    page.wait_for_url("**t-picture=*")


def test_a_training_can_be_stopped_and_keeps_its_kernels(visit):
    visitor = visit("lenet-trainer?t-epochs=60")
    page = visitor.page
    page.get_by_role("button", name="Start", exact=True).click()
    progress = page.get_by_text(re.compile(r"Epoch \d+ of 60"))
    progress.wait_for()
    epoch = int(re.search(r"Epoch (\d+)", progress.inner_text())[1])
    curve = page.locator(CURVES).first.element_handle()
    later = "|".join(str(number) for number in range(epoch + 3, 61))
    page.get_by_text(re.compile(f"Epoch ({later}) of 60")).wait_for()
    assert curve.is_visible()  # redrawn, never built anew
    page.reload()  # it is still his run
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_text(re.compile(r"Stopped after [\d,]+ of 3,420 steps")).wait_for()
    page.get_by_text("conv2: 16 output channels").wait_for()
    assert page.locator(ACCURACY).inner_text() == "—"
    visitor.settle()
    assert page.get_by_role("button", name="Start", exact=True).is_enabled()
    assert visitor.exceptions() == []


def test_an_own_network_is_trained_from_a_link_and_led_on_to_its_shapes(visit):
    network = "conv4k5s3-relu-flatten-10"
    visitor = visit(f"lenet-trainer?t-network={network}&t-epochs=1")
    page = visitor.page
    line = page.get_by_role("textbox", name="Network in one line")
    expect(line).to_have_value(network)
    line.fill("conv4k5s3-rellu-flatten-10")
    line.press("Enter")
    expect(page.get_by_text('did you mean "relu"?')).to_be_visible()
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_disabled()
    line.fill(network)
    line.press("Enter")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("Finished.")).to_be_visible()
    expect(page.get_by_text("relu1: 4 feature maps of 8 x 8.")).to_be_visible()
    page.wait_for_url(f"**t-network={network}*")
    assert visitor.exceptions() == []

    page.get_by_role("link", name="Open in Architecture").click()
    expect(page.get_by_role("heading", name="Architecture")).to_be_visible()
    expect(page.get_by_role("textbox", name="Network in one line")).to_have_value(network)


def test_a_training_is_taken_away_as_files_and_its_settings_are_brought_back(visit):
    visitor = visit(
        "lenet-trainer?t-network=conv2k5-flatten-10&t-epochs=1&t-schedule=Cosine&t-charts=Gradient+norms"
    )
    page = visitor.page
    expect(page.get_by_role("combobox", name="Schedule of the learning rate")).to_be_visible()
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_text("Finished.").wait_for()
    expect(page.locator(CURVES)).to_have_count(2)  # the gradients, and the probabilities of a picture

    def taken(name):
        with page.expect_download() as download:
            page.get_by_role("button", name=re.compile(f"{name}$")).first.click()
        return download.value.path().read_bytes()

    weights = from_safetensors(taken("Weights"))
    assert {name: array.shape for name, array in weights.items()} == {
        "conv1.weight": (2, 1, 5, 5),
        "conv1.bias": (2,),
        "linear1.weight": (10, 1152),
        "linear1.bias": (10,),
    }
    assert taken("Epochs as CSV").decode().splitlines()[1].startswith("1,57,")
    assert "gradient norm of conv1,gradient norm of linear1" in taken("Steps as CSV").decode()
    compile(taken("PyTorch script"), "train.py", "exec")
    settings = json.loads(taken("Settings"))
    assert (settings["schedule"], settings["num_epochs"]) == ("cosine", 1)

    page.get_by_role("button", name="Settings from a file").click()
    changed = json.dumps(settings | {"seed": 7, "shift": 3}).encode()
    file = {"name": "settings.json", "mimeType": "application/json", "buffer": changed}
    page.locator('input[type="file"]').set_input_files(file)
    expect(page.get_by_text("Also: schedule cosine, shifted by up to 3 px.")).to_be_visible()
    page.wait_for_url("**t-seed=7*")
    assert visitor.exceptions() == []


def test_a_training_is_led_by_hand_and_the_zoom_and_the_look_go_along(visit):
    visitor = visit("lenet-trainer?t-epochs=60")
    page = visitor.page
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text(re.compile(r"Epoch \d+ of 60"))).to_be_visible()
    page.get_by_role("button", name="Pause", exact=True).click()
    done = page.get_by_text(re.compile(r"[\d,]+ of 3,420 steps done"))
    expect(done).to_be_visible()
    step = int(re.search(r"([\d,]+) of", done.inner_text())[1].replace(",", ""))

    page.get_by_role("button", name="One step").click()
    expect(page.get_by_text(f"{step + 1:,} of 3,420 steps done")).to_be_visible()
    rate = page.get_by_role("spinbutton", name="New learning rate")
    rate.fill("0.001")
    rate.press("Enter")
    expect(page.get_by_text("Learning rate next: 0.001, set by hand.")).to_be_visible()

    chart = page.locator(CURVES).first
    end = chart.locator("text", has_text=re.compile("^60$"))
    expect(end).to_have_count(1)
    chart.hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    expect(end).to_have_count(0)

    kernels = page.get_by_role("img", name="Kernels of conv1, as they are now")
    before = kernels.get_attribute("src")
    page.get_by_role("button", name="One epoch").click()
    end_of_epoch = ((step + 1) // 57 + 1) * 57
    expect(page.get_by_text(f"{end_of_epoch:,} of 3,420 steps done")).to_be_visible()
    expect(kernels).not_to_have_attribute("src", before)
    expect(page.get_by_text("Learning rate next")).to_have_count(0)
    expect(end).to_have_count(0)  # the chart has grown, and is still zoomed

    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("It goes on while you look at other pages.")).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text(re.compile(r"Stopped after [\d,]+ of 3,420 steps"))).to_be_visible()
    assert visitor.exceptions() == []


def test_a_learning_rate_that_is_typed_once_is_taken_once_while_the_training_goes_on(visit):
    visitor = visit("lenet-trainer?t-epochs=60&t-batch=8")
    page = visitor.page
    page.get_by_role("button", name="Start", exact=True).click()
    rate = page.get_by_role("spinbutton", name="New learning rate")
    typed = [0.001 + 0.0001 * number for number in range(8)]
    for value in typed:
        rate.fill(f"{value:g}")
        rate.press("Enter")
        expect(rate).to_have_value("")
        page.wait_for_timeout(300)  # the panel is drawn again meanwhile
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text(re.compile("Stopped after"))).to_be_visible()
    visitor.settle()
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("PyTorch script$")).first.click()
    heading = " ".join(download.value.path().read_text().split())
    changes = re.search(r"changed by hand \((.*?)\)", heading)[1]
    assert re.findall(r"([\d.]+) after step", changes) == [f"{value:g}" for value in typed]
    assert visitor.exceptions() == []
