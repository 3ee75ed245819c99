import json

import pytest
from streamlit.testing.v1 import AppTest

from cnn_core.network import (
    MAX_LAYERS,
    AveragePool,
    Conv,
    Dropout,
    Flatten,
    Linear,
    MaxPool,
    Network,
    ReLU,
    Sigmoid,
    Tanh,
    format,
    parse,
)
from ui import layer_table
from ui.layer_table import Cell, Line, edits

TEXT = "conv6k5p2-relu-max2-flatten-10"
LAYERS = parse(TEXT).layers


def demo():
    import streamlit as st

    from cnn_core.network import Network, format, parse
    from ui import layer_table
    from ui.layer_table import Cell, Line

    state = st.session_state
    layers = parse(state["text"]).layers if state["text"] else ()
    fixes = [parse(text).layers for text in state["fixes"]]
    state["edited"] = layer_table.received("d-", layers, fixes=fixes)
    if state["edited"] is not None:
        layers = state["edited"]
        state["text"] = format(Network(layers)) if layers else ""
    names = Network(layers).names if layers else ()
    cell = Cell("156", [("Weights", "6 · 25 + 6 = 156")], 0.5, True)
    lines = [
        Line(name, "words", {"num_params": cell}, layer) for name, layer in zip(names, layers, strict=True)
    ]
    layer_table.show(
        lines, prefix="d-", totals={"num_params": "156"}, editable=state["editable"], input_text="1 x 28 x 28"
    )


def open_demo(text=TEXT, *, fixes=(), editable=True):
    app = AppTest.from_function(demo, default_timeout=120)
    app.session_state["text"], app.session_state["fixes"], app.session_state["editable"] = (
        text,
        fixes,
        editable,
    )
    return rerun(app)


def rerun(app):
    app.run()
    assert not app.exception
    return app


def data_of(app):
    return json.loads(app.get("bidi_component")[0].proto.json)


def send(app, **action):
    """Send what the browser sends; the list that is shown is meant, unless another is named."""
    data = data_of(app)
    app.session_state["d-layer-table"] = {
        "action": {"count": data["count"] + 1, "shown": data["shown"]} | action
    }
    return rerun(app)


def text_of(app):
    return app.session_state["text"]


def ids(app):
    return [row["id"] for row in data_of(app)["rows"]]


# What is shown


def test_the_rows_bring_names_cells_and_the_fields_of_each_layer():
    data = data_of(open_demo())
    assert [row["name"] for row in data["rows"]] == ["conv1", "relu1", "pool1", "flatten", "linear1"]
    assert data["rows"][0]["cells"]["num_params"] == {
        "text": "156",
        "lines": [["Weights", "6 · 25 + 6 = 156"]],
        "share": 0.5,
        "most": True,
    }
    assert [(field["label"], field["value"]) for field in data["rows"][0]["fields"]] == [
        ("Output channels", "6"),
        ("Kernel size", "5"),
        ("Stride", "1"),
        ("Padding", "2"),
        ("Dilation", "1"),
        ("Groups", "1"),
    ]
    assert data["rows"][1]["fields"] == []
    assert data["columns"] == [list(column) for column in layer_table.COLUMNS.items()]
    assert (data["input"], data["totals"]) == ("1 x 28 x 28", {"num_params": "156"})
    assert data["can"] == {"undo": False, "redo": False}


def test_every_layer_that_can_be_added_has_words_for_all_its_fields():
    for layer in edits.NEW.values():
        for field in layer_table._fields(layer):
            assert field["label"]
            assert ("placeholder" in field["props"]) == (field["value"] == "")


def test_a_pool_and_an_activation_offer_their_likes_and_other_layers_none():
    kinds = [(row["kind"], row["kinds"]) for row in data_of(open_demo())["rows"]]
    assert kinds == [
        (None, []),
        ("ReLU", ["ReLU", "Sigmoid", "Tanh"]),
        ("Maximum", ["Maximum", "Average"]),
        (None, []),
        (None, []),
    ]


def test_a_layer_that_is_none_cannot_be_edited_and_nothing_is_received_when_read_only():
    app = open_demo(editable=False)
    assert data_of(app)["editable"] is False
    assert layer_table._row("1", Line("basic1", "a block"))["isLayer"] is False


def test_a_line_without_numbers_waits_or_says_why():
    line = Line("linear1", "10 outputs", {}, Linear(10), reason="expects 400", fixes=("flatten first",))
    row = layer_table._row("1", line)
    assert (row["cells"], row["reason"], row["fixes"]) == ({}, "expects 400", ["flatten first"])
    assert Cell("3") == Cell("3", (), 0.0, False)


# Actions


@pytest.mark.parametrize(
    ("index", "field", "value", "text"),
    [
        (0, "out_channels", "8", "conv8k5p2-relu-max2-flatten-10"),
        (0, "kernel_size", "5 x 3", "conv6k5x3p2-relu-max2-flatten-10"),
        (0, "kernel_size", "(5,3)", "conv6k5x3p2-relu-max2-flatten-10"),
        (0, "kernel_size", "7X7", "conv6k7p2-relu-max2-flatten-10"),
        (0, "padding", " 0 ", "conv6k5-relu-max2-flatten-10"),
        (0, "groups", "2", "conv6k5p2g2-relu-max2-flatten-10"),
        (2, "window", "3", "conv6k5p2-relu-max3-flatten-10"),
        (2, "stride", "1", "conv6k5p2-relu-max2s1-flatten-10"),
        (4, "out_features", "12", "conv6k5p2-relu-max2-flatten-12"),
        (4, "in_features", "400", "conv6k5p2-relu-max2-flatten-10i400"),
    ],
)
def test_a_typed_value_changes_its_field(index, field, value, text):
    app = send(open_demo(), do="set", index=index, field=field, value=value)
    assert app.session_state["edited"] == parse(text).layers
    assert text_of(app) == text
    assert data_of(app)["refused"] is None


def test_the_stride_of_a_pool_follows_its_window_until_it_is_set_and_again_when_it_is_emptied():
    app = send(open_demo("max2"), do="set", index=0, field="stride", value="1")
    send(app, do="set", index=0, field="window", value="3")
    assert text_of(app) == "max3s1"
    send(app, do="set", index=0, field="stride", value="")
    assert text_of(app) == "max3"
    send(app, do="set", index=0, field="window", value="4")
    assert text_of(app) == "max4"
    send(app, do="kind", index=0, value="Average")
    send(app, do="set", index=0, field="window", value="5")
    assert text_of(app) == "avg5"


def test_an_empty_field_takes_expected_inputs_away():
    app = send(open_demo("10i400"), do="set", index=0, field="in_features", value="")
    assert text_of(app) == "10"


def test_a_probability_is_typed_as_a_fraction():
    assert (
        text_of(send(open_demo("drop0.5"), do="set", index=0, field="probability", value="0.25"))
        == "drop0.25"
    )


@pytest.mark.parametrize(
    ("before", "kind", "after"),
    [
        (MaxPool(3, stride=1), "Average", AveragePool(3, stride=1)),
        (ReLU(), "Tanh", Tanh()),
        (Tanh(), "Sigmoid", Sigmoid()),
    ],
)
def test_a_pool_and_an_activation_change_their_kind(before, kind, after):
    app = send(open_demo(format(Network([before]))), do="kind", index=0, value=kind)
    assert app.session_state["edited"] == (after,)


@pytest.mark.parametrize(
    ("action", "text", "said"),
    [
        ({"do": "move", "index": 0, "to": 1}, "relu-conv6k5p2-max2-flatten-10", "conv1 is now layer 2."),
        ({"do": "move", "index": 4, "to": 0}, "10-conv6k5p2-relu-max2-flatten", "linear1 is now layer 1."),
        ({"do": "duplicate", "index": 1}, "conv6k5p2-relu-relu-max2-flatten-10", "relu1 duplicated."),
        ({"do": "remove", "index": 3}, "conv6k5p2-relu-max2-10", "flatten removed."),
        ({"do": "remove", "index": 4}, "conv6k5p2-relu-max2-flatten", "linear1 removed."),
        ({"do": "add", "index": 5, "kind": "Linear"}, f"{TEXT}-10", "linear2 added."),
        ({"do": "add", "index": 0, "kind": "Batch norm"}, f"norm-{TEXT}", "norm1 added."),
        (
            {"do": "add", "index": 1, "kind": "Convolution"},
            f"conv6k5p2-conv6k3p1-{TEXT[10:]}",
            "conv2 added.",
        ),
    ],
)
def test_rows_are_moved_duplicated_removed_and_added(action, text, said):
    app = send(open_demo(), **action)
    assert text_of(app) == text
    assert data_of(app)["said"] == said
    assert len(data_of(app)["rows"]) == len(parse(text).layers)


def test_an_offered_fix_is_taken():
    app = send(
        open_demo("conv6k5-10", fixes=["conv6k5-flatten-10", "conv6k5-gap-10"]), do="fix", index=1, which=1
    )
    assert text_of(app) == "conv6k5-gap-10"


def test_the_last_layer_can_be_removed_and_a_first_one_added():
    app = send(open_demo("10"), do="remove", index=0)
    assert app.session_state["edited"] == ()
    assert data_of(app)["rows"] == []
    send(app, do="add", index=0, kind="Flatten")
    assert app.session_state["edited"] == (Flatten(),)


def test_an_action_is_taken_once():
    app = send(open_demo(), do="remove", index=0)
    rerun(app)
    assert app.session_state["edited"] is None
    assert len(data_of(app)["rows"]) == 4


# Rows keep their names


def test_a_row_keeps_its_id_while_it_moves_and_changes_and_others_come_and_go():
    app = open_demo()
    conv, relu, pool, flatten, linear = ids(app)
    send(app, do="move", index=0, to=2)
    assert ids(app) == [relu, pool, conv, flatten, linear]
    send(app, do="set", index=2, field="out_channels", value="9")
    send(app, do="remove", index=0)
    assert ids(app) == [pool, conv, flatten, linear]
    send(app, do="add", index=1, kind="ReLU")
    made = data_of(app)["made"]
    assert made not in (conv, relu, pool, flatten, linear)
    assert ids(app) == [pool, made, conv, flatten, linear]
    send(app, do="undo")
    send(app, do="undo")
    assert ids(app) == [relu, pool, conv, flatten, linear]


def test_rows_keep_their_ids_where_a_typed_list_or_a_fix_begins_and_ends_alike():
    app = open_demo(fixes=["conv6k5p2-relu-norm-tanh-max2-flatten-10"])
    conv, relu, pool, flatten, linear = ids(app)
    send(app, do="fix", index=0, which=0)
    assert ids(app)[:2] + ids(app)[4:] == [conv, relu, pool, flatten, linear]
    app.session_state["text"] = "conv6k5p2-relu-10"
    rerun(app)
    assert ids(app) == [conv, relu, linear]
    app.session_state["text"] = "conv7k5p2-relu-10"
    rerun(app)
    assert ids(app) == [conv, relu, linear]


# Undo


def test_undo_and_redo_go_back_and_forth():
    app = open_demo()
    send(app, do="remove", index=0)
    send(app, do="set", index=3, field="out_features", value="7")
    assert data_of(app)["can"] == {"undo": True, "redo": False}
    send(app, do="undo")
    assert text_of(app) == "relu-max2-flatten-10"
    send(app, do="undo")
    assert text_of(app) == TEXT
    assert data_of(app)["can"] == {"undo": False, "redo": True}
    send(app, do="redo")
    assert text_of(app) == "relu-max2-flatten-10"
    send(app, do="remove", index=0)
    assert data_of(app)["can"] == {"undo": True, "redo": False}


def test_a_list_that_came_from_elsewhere_can_be_undone_too():
    app = open_demo()
    app.session_state["text"] = "flatten-10"
    rerun(app)
    assert data_of(app)["can"]["undo"]
    assert text_of(send(app, do="undo")) == TEXT


def test_undo_remembers_so_many_lists_and_no_more():
    app = open_demo("10")
    history = app.session_state["d-layer-table-memory"].history
    for number in range(edits.MAX_UNDONE + 5):
        edits.apply(history, {"do": "set", "index": 0, "field": "out_features", "value": str(number + 20)})
    assert len(history.undo) == edits.MAX_UNDONE
    assert history.undo[0][0][1] == Linear(24)


def test_what_changes_nothing_cannot_be_undone():
    app = send(open_demo(), do="set", index=0, field="out_channels", value="6")
    assert app.session_state["edited"] is None
    assert data_of(app)["can"]["undo"] is False
    assert data_of(app)["count"] == 1


# Refusals


@pytest.mark.parametrize(
    ("index", "field", "value", "words"),
    [
        (0, "out_channels", "0", "Output channels 0 is below 1."),
        (0, "out_channels", "", "Output channels is missing."),
        (0, "out_channels", "5 x 3", 'Output channels "5 x 3" is not a whole number.'),
        (0, "out_channels", "9999999999", "Output channels 9,999,999,999 exceeds 999,999,999"),
        (0, "kernel_size", "abc", 'Kernel size "abc" is not a whole number, or two such as 5 x 3.'),
        (0, "kernel_size", "5 x 3 x 1", 'Kernel size "5 x 3 x 1" is not a whole number, or two'),
        (0, "kernel_size", "٣", 'Kernel size "٣" is not a whole number'),
        (0, "padding", "-1", "Padding -1 is below 0."),
        (0, "groups", "4", "Output channels 6 is not a multiple of groups 4."),
        (2, "padding", "2", "Padding 2 exceeds 1 (half of window 2)."),
        (5, "probability", "1", "Probability 1.0 must be at least 0 and less than 1."),
        (5, "probability", "nan", "Probability nan must be at least 0 and less than 1."),
        (5, "probability", "much", 'Probability "much" is not a number.'),
    ],
)
def test_a_value_that_cannot_be_is_kept_and_explained_in_its_field(index, field, value, words):
    app = send(open_demo(f"{TEXT}-drop0.5"), do="set", index=index, field=field, value=value)
    refused = data_of(app)["refused"]
    assert app.session_state["edited"] is None
    assert refused["words"].startswith(words)
    assert refused["words"].endswith("Nothing was changed.")
    assert (refused["id"], refused["field"], refused["value"]) == (ids(app)[index], field, value)
    send(app, do="remove", index=0)
    assert data_of(app)["refused"] is None


def test_an_action_on_another_list_than_the_shown_one_is_refused():
    app = open_demo()
    shown = data_of(app)["shown"]
    send(app, do="remove", index=0)
    words = "The layers have changed in the meantime. Nothing was changed."
    for action in ({"do": "remove"}, {"do": "set", "field": "out_channels", "value": "7"}):
        send(app, **action, index=0, shown=shown)
        assert len(data_of(app)["rows"]) == 4
        assert data_of(app)["refused"] == {"id": "", "field": "", "value": "", "words": words}


def test_an_action_from_before_this_visit_is_not_taken():
    app = AppTest.from_function(demo, default_timeout=120)
    app.session_state["text"], app.session_state["fixes"], app.session_state["editable"] = TEXT, (), True
    shown = layer_table._token(LAYERS)
    app.session_state["d-layer-table"] = {"action": {"count": 7, "do": "remove", "index": 0, "shown": shown}}
    rerun(app)
    assert text_of(app) == TEXT
    assert data_of(app)["count"] == 7
    assert data_of(app)["refused"] is None
    assert text_of(send(app, do="remove", index=0)) == TEXT.partition("-")[2]


@pytest.mark.parametrize(
    "action", [{"do": "duplicate", "index": 0}, {"do": "add", "index": 0, "kind": "ReLU"}]
)
def test_there_are_no_more_layers_than_a_network_holds(action):
    app = send(open_demo("-".join(["relu"] * MAX_LAYERS)), **action)
    assert len(data_of(app)["rows"]) == MAX_LAYERS
    words = "Number of layers 101 is not between 1 and 100. Nothing was changed."
    assert data_of(app)["refused"] == {"id": "", "field": "", "value": "", "words": words}
    assert data_of(app)["made"] is None


HOSTILE = [
    {},
    {"do": None},
    {"do": ["remove"]},
    {"do": "explode", "index": 0},
    {"do": "remove"},
    {"do": "remove", "index": 5},
    {"do": "remove", "index": -1},
    {"do": "remove", "index": True},
    {"do": "remove", "index": 0.0},
    {"do": "remove", "index": "0"},
    {"do": "move", "index": 0, "to": 5},
    {"do": "move", "index": 0, "to": None},
    {"do": "add", "index": 6, "kind": "ReLU"},
    {"do": "add", "index": 0, "kind": "Layer"},
    {"do": "add", "index": 0, "kind": ["ReLU"]},
    {"do": "kind", "index": 0, "value": "ReLU"},
    {"do": "kind", "index": 1, "value": "Maximum"},
    {"do": "kind", "index": 1, "value": {}},
    {"do": "set", "index": 0, "field": "__class__", "value": "1"},
    {"do": "set", "index": 0, "field": ["padding"], "value": "1"},
    {"do": "set", "index": 0, "field": "padding", "value": 1},
    {"do": "set", "index": 0, "field": "padding", "value": None},
    {"do": "set", "index": 0, "field": "padding", "value": "1" * 1_000_000},
    {"do": "set", "index": 0, "field": "padding", "value": "<img src=x onerror=alert(1)>"},
    {"do": "fix", "index": 0, "which": 0},
    {"do": "undo"},
    {"do": "redo"},
]


def test_garbage_is_refused_with_a_message_and_leaves_the_layers():
    app = open_demo()
    for action in HOSTILE:
        send(app, **action)
        assert app.session_state["edited"] is None, action
        assert text_of(app) == TEXT
        assert data_of(app)["refused"]["words"].endswith("Nothing was changed.")
        assert len(data_of(app)["refused"]["value"]) <= edits.MAX_TYPED
        assert data_of(app)["can"] == {"undo": False, "redo": False}


def test_what_is_no_action_with_a_right_count_is_not_looked_at():
    app = open_demo()
    for count in (None, "1", 1.5, True, -1, 0, 10**9, [1]):
        send(app, do="remove", index=0, count=count)
        assert text_of(app) == TEXT, count
    for state in ({"action": None}, {"action": "remove"}, {"action": []}, {}):
        app.session_state["d-layer-table"] = state
        assert text_of(rerun(app)) == TEXT
    assert data_of(app)["refused"] is None


def test_dropout_and_convolution_come_with_usual_values():
    assert edits.NEW["Dropout"] == Dropout(0.5)
    assert edits.NEW["Convolution"] == Conv(6, kernel_size=3, padding=1)
