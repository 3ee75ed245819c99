import csv
import io

import pytest

from cnn_core.network import PRESETS, parse
from cnn_core.network import format as format_network
from cnn_core.published import PUBLISHED
from cnn_core.shapes import parse_shape
from cnn_core.summary import summarize
from ui.layer_table import _token

VIEWS = ["The shapes, to scale", "Layer by layer", "What one output sees"]
PAGE = "networks/architecture.py"
LENET = format_network(PRESETS["lenet"].network)


def texts(app):
    return [each.value for each in (*app.markdown, *app.caption, *app.error, *app.warning)]


def act(app, **action):
    """Do to the layer table what a visitor would do to the list that is shown."""
    layers = parse(app.session_state["a-network"]).layers if app.session_state["a-network"] else ()
    memory = app.session_state["a-layer-table-memory"]
    app.session_state["a-layer-table"] = {
        "action": {"count": memory.count + 1, "shown": _token(layers), **action}
    }
    return app.run()


def test_the_page_opens_with_lenet_and_its_costs(open_page):
    app = open_page(PAGE)
    assert not app.exception
    assert any("1 x 28 x 28 in, 10 out: 61,706 parameters, 416,520 mult-adds" in text for text in texts(app))
    assert any("linear1 holds the most parameters: 48,120, or 78%" in text for text in texts(app))
    assert any("conv2 does the most work: 240,000 mult-adds, or 58%" in text for text in texts(app))


def test_a_layer_that_has_nearly_all_parameters_does_not_have_100_percent_of_them(open_page):
    app = open_page(PAGE, **{"a-network": "conv4k3-flatten-10", "a-input": "1x128"})  # 16 and 5,050
    assert any("5,050, or more than 99%." in text for text in texts(app))
    app = open_page(PAGE, **{"a-network": "flatten-10"})
    assert any("7,850, or 100%." in text for text in texts(app))


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_opens_by_its_name_and_is_written_out(open_page, name):
    app = open_page(PAGE, **{"a-network": name})
    assert not app.exception
    assert app.text_input(key="a-network").value == format_network(PRESETS[name].network)
    assert app.selectbox(key="a-start").value == name


def test_choosing_where_to_start_from_replaces_the_layers(open_page):
    app = open_page(PAGE)
    app.selectbox(key="a-start").select("mlp").run()
    assert app.text_input(key="a-network").value == "flatten-256-relu-10"
    assert not app.exception


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_network_is_shown_and_not_edited(open_page, name):
    app = open_page(PAGE, **{"a-network": name, "a-input": "3x224x224"})
    assert not app.exception
    assert app.selectbox(key="a-start").value == name
    assert app.button(key="a-train").disabled
    assert any("3 x 224 x 224 in, 1,000 out" in text for text in texts(app))


def test_a_published_network_may_be_named_with_capitals(open_page):
    app = open_page(PAGE, **{"a-network": " VGG16 ", "a-input": "3x224x224"})
    assert not app.error
    assert app.selectbox(key="a-start").value == "vgg16"


@pytest.mark.parametrize("length", [1999, 2000, 2400])
def test_a_line_that_is_cut_off_says_so(open_page, length):
    line = ("relu-" * 500)[: length - 2] + "10"
    app = open_page(PAGE, **{"a-network": line})
    assert not app.exception
    assert any("it holds 2,000 characters" in text for text in texts(app)) == (length >= 2000)


def test_a_published_network_says_why_it_does_not_take_the_input(open_page):
    app = open_page(PAGE, **{"a-network": "vgg16", "a-input": "1x28x28"})
    assert not app.exception
    assert "vgg16 takes 3 channels" in app.error[0].value


def test_an_edit_in_the_table_changes_the_notation(open_page):
    app = act(open_page(PAGE), do="remove", index=1)
    assert app.text_input(key="a-network").value == LENET.replace("-sigmoid", "", 1)
    app = act(app, do="undo")
    assert app.text_input(key="a-network").value == LENET
    assert app.selectbox(key="a-start").value == "lenet"


def test_a_layer_that_does_not_fit_can_be_mended_and_the_rest_waits(open_page):
    app = open_page(PAGE, **{"a-network": "conv6k5-relu-10"})
    assert not app.exception
    assert app.button(key="a-train").disabled
    app = act(app, do="fix", index=2, which=0)
    assert app.text_input(key="a-network").value == "conv6k5-relu-flatten-10"
    assert not app.button(key="a-train").disabled


def test_a_notation_that_cannot_be_read_is_underlined_and_the_last_one_stays(open_page):
    app = open_page(PAGE)
    app.text_input(key="a-network").input("conv6k5-rellu-flatten-10").run()
    assert not app.exception
    assert 'did you mean "relu"' in app.error[0].value
    line, carets = app.code[0].value.splitlines()
    assert line[carets.index("^") : carets.rindex("^") + 1] == "rellu"
    assert app.text_input(key="a-network").value == "conv6k5-rellu-flatten-10"
    assert any("61,706 parameters" in text for text in texts(app))
    app = act_on_last_good(app, do="remove", index=0)
    assert app.text_input(key="a-network").value == LENET.partition("-")[2]


def act_on_last_good(app, **action):
    app.session_state["a-layer-table"] = {
        "action": {
            "count": app.session_state["a-layer-table-memory"].count + 1,
            "shown": _token(parse(LENET).layers),
            **action,
        }
    }
    return app.run()


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        ("", "1x28x28"),
        ("conv6k5-10", "1x28x28"),
        ("conv8k9s2p4-relu-gap-5", "1x256"),
        ("64-relu-10", "784"),
        ("flatten-flatten-10", "2x3x5"),
        ("conv2k3-gap-drop0.5-norm-4", "5x9x7"),
        ("relu", "1x1x1"),
        ("gap", "3"),
        ("flatten-50000-50000-10", "1x28x28"),
        ("conv4k1s9999", "3x1000000x1000000"),
        ("conv999999999k5p2", "1x28x28"),
        ("conv6k5-120i400", "no shape"),
        ("[x](http://y)", "<b>"),
        ("norm-drop0.1-tanh", "1x28x28"),
    ],
)
@pytest.mark.parametrize("view", VIEWS)
def test_any_link_opens_without_a_traceback(open_page, network, shape, view):
    app = open_page(PAGE, **{"a-network": network, "a-input": shape, "a-view": view})
    assert not app.exception
    assert not any("Something went wrong" in error.value for error in app.error)


def test_a_network_over_the_budget_is_counted_and_not_built(open_page):
    app = open_page(PAGE, **{"a-network": "flatten-50000-50000-10"})
    assert any("2,539,800,010 parameters" in text for text in texts(app))
    assert "counted, but not built: num_params 2,539,800,010" in app.warning[0].value
    assert app.button(key="a-train").disabled


def test_a_picture_goes_as_far_as_the_layers_fit(open_page):
    app = open_page(PAGE, **{"a-network": "conv6k5-relu-10", "a-view": VIEWS[1]})
    assert any("784 numbers in, 3,456 numbers out" in text for text in texts(app))
    assert not any("linear1" in text for text in texts(app) if text.startswith("**"))


def test_a_published_network_shows_what_an_output_sees_but_no_maps(open_page):
    query = {"a-network": "alexnet", "a-input": "3x224x224"}
    app = open_page(PAGE, **query, **{"a-view": VIEWS[1]})
    assert "A published network has no weights here" in app.info[0].value
    app = open_page(PAGE, **query, **{"a-view": VIEWS[2]})
    assert any("can see 195 x 195 pixels" in text for text in texts(app))


def test_train_this_says_why_not(open_page):
    app = open_page(PAGE, **{"a-network": "conv8k9s2p4-relu-gap-5", "a-input": "1x256"})
    assert app.button(key="a-train").disabled
    assert any("cannot be trained here: no data set has signals of 1 x 256" in text for text in texts(app))
    app = open_page(PAGE, **{"a-network": "flatten-7"})
    assert any("cannot be trained here: network output shape (7,)" in text for text in texts(app))


def test_train_this_opens_the_trainer_with_the_network(open_page):
    app = open_page(PAGE, **{"a-network": "conv4k5-relu-gap-10"})
    app.button(key="a-train").click().run()
    assert not app.exception
    assert app.title[0].value == "LeNet trainer"


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"a-network": "conv6k5-norm-relu-max2-drop0.2-gap-10"},
        {"a-network": "conv8k9s2p4-relu-gap-5", "a-input": "1x256"},
        {"a-network": "64-relu-10", "a-input": "784"},
    ],
)
def test_both_snippets_count_the_same_parameters(open_page, query):
    app = open_page(PAGE, **query)
    *_, ours, theirs = [code.value for code in app.code if code.language == "python"]
    counts = []
    for text in (ours, theirs):
        names: dict[str, object] = {}
        exec(text, names)
        counts.append(names["y"])
    rows = summarize(parse(app.session_state["a-network"]), parse_shape(app.session_state["a-input"]))
    assert counts == [sum(row.num_params for row in rows)] * 2


@pytest.mark.parametrize("number", range(4))
def test_each_setting_to_try_opens_and_leads_back(open_page, number):
    app = open_page(PAGE)
    buttons = [button for button in app.button if button.key.startswith("a-try-")]
    assert len(buttons) == 4
    app = buttons[number].click().run()
    assert not app.exception
    app = app.button(key="a-reset").click().run()
    assert app.text_input(key="a-network").value == LENET
    assert app.text_input(key="a-input").value == "1x28x28"


def test_the_table_as_csv_adds_up_to_the_totals(open_page):
    from ui.networks.architecture_code import table

    rows = summarize(PRESETS["lenet"].network, (1, 28, 28))
    lines = list(csv.DictReader(io.StringIO(table(rows))))
    assert [line["layer"] for line in lines] == list(PRESETS["lenet"].network.names)
    assert lines[0]["output_shape"] == "6x28x28"
    assert sum(int(line["num_params"]) for line in lines) == 61_706
    assert sum(int(line["mult_adds"]) for line in lines) == 416_520
