from itertools import pairwise

import numpy as np
import pytest

from cnn_core.network import LENET, MLP, parse
from cnn_core.plots import architecture, boxes
from cnn_core.plots.theme import DARK, LIGHT
from cnn_core.published import layer_table
from cnn_core.summary import summarize

DIGIT = (1, 28, 28)
PHOTOGRAPH = (3, 224, 224)
SIGNAL = parse("conv16k9s2-relu-max2-conv64k5-relu-max2-flatten-32-relu-4")
LONG = parse("-".join(f"conv{8 + index}k3p1" for index in range(97)) + "-gap-50-10")


@pytest.fixture(scope="module")
def published():
    return {name: layer_table(name) for name in ("vgg16", "resnet18", "mobilenet-v2")}


@pytest.fixture(
    params=["lenet", "mlp", "vector", "signal", "long", "flat", "empty", "vgg16", "resnet18", "mobilenet-v2"]
)
def sheet(request, published):
    own = {
        "lenet": (LENET, DIGIT),
        "mlp": (MLP, DIGIT),
        "vector": (parse("256-relu-10"), (784,)),
        "signal": (SIGNAL, (1, 128)),
        "long": (LONG, (3, 32, 32)),
        "flat": (parse("relu-max1"), (3, 1, 5000)),
    }
    if request.param in own:
        network, shape = own[request.param]
        return boxes.lay_out(summarize(network, shape), shape)
    return boxes.lay_out(published.get(request.param, []), PHOTOGRAPH)


def titles(sheet):
    return [box.title for box in sheet.boxes]


def test_sizes_are_to_scale(sheet):
    ratios = set()
    for box in sheet.boxes:
        match box.shape:
            case (features,):
                assert box.height == pytest.approx(features * sheet.feature)
                assert box.depth == (0, 0)
            case (channels, samples):
                assert (box.length, box.height) == pytest.approx(
                    (channels * sheet.channel, samples * sheet.pixel)
                )
            case (channels, height, width):
                assert (box.length, box.height) == pytest.approx(
                    (channels * sheet.channel, height * sheet.pixel)
                )
                ratios |= {round(part / width, 9) for part in box.depth}
    assert len(ratios) <= 2


def test_boxes_stand_side_by_side_on_the_sheet(sheet):
    assert sheet.boxes[0].left >= 0
    assert sheet.boxes[-1].right <= boxes.WIDTH + 1e-6
    assert all(before.right < after.left for before, after in pairwise(sheet.boxes))


def test_no_box_is_taller_than_the_sheet_and_one_is_as_tall(sheet):
    heights = [box.height + box.depth[1] for box in sheet.boxes]
    assert max(heights) == pytest.approx(boxes.TALLEST)


def test_names_overlap_neither_each_other_nor_the_lines_to_their_boxes(sheet):
    labels = boxes.labels(sheet.boxes)
    for label in labels:
        words = boxes.CHARACTER * max(len(label.text), len(" x ".join(map(str, label.box.shape))))
        assert words <= label.room
        for other in labels:
            if other is not label and other.tier == label.tier:
                assert abs(label.centre - other.centre) >= words / 2
            if other.tier > label.tier:
                assert abs(other.box.centre - label.centre) > words / 2


def test_input_and_output_are_always_named(sheet):
    named = [label.box for label in boxes.labels(sheet.boxes)]
    assert named[0] is sheet.boxes[0]
    assert named[-1] is sheet.boxes[-1]


def test_layers_that_keep_the_shape_share_the_box_of_the_layer_before():
    sheet = boxes.lay_out(summarize(LENET, DIGIT), DIGIT)
    assert titles(sheet) == [
        "input",
        "conv1, sigmoid1",
        "pool1",
        "conv2, sigmoid2",
        "pool2",
        "flatten",
        "linear1, sigmoid3",
        "linear2, sigmoid4",
        "linear3",
    ]
    assert [box.num_params for box in sheet.boxes] == [0, 156, 0, 2416, 0, 0, 48120, 10164, 850]


def test_two_convolutions_of_one_shape_have_a_box_each():
    rows = summarize(parse("conv8k3p1-relu-conv8k3p1"), DIGIT)
    assert titles(boxes.lay_out(rows, DIGIT)) == ["input", "conv1, relu1", "conv2"]


def test_vgg_has_a_box_for_each_convolution_pooling_and_linear_layer(published):
    sheet = boxes.lay_out(published["vgg16"], PHOTOGRAPH)
    assert len(sheet.boxes) == 1 + 13 + 5 + 1 + 3


def test_where_a_network_branches_all_neighbours_of_one_shape_share_a_box(published):
    assert titles(boxes.lay_out(published["resnet18"], PHOTOGRAPH)) == [
        "input",
        "conv1, bn1, relu",
        "maxpool to layer1.1",
        "layer2.0 to layer2.1",
        "layer3.0 to layer3.1",
        "layer4.0 to layer4.1",
        "avgpool",
        "flatten",
        "fc",
    ]


def test_the_chosen_layer_is_named_and_drawn_in_the_accent_colour(published):
    rows = published["mobilenet-v2"]
    chosen = rows[70].name
    sheet = boxes.lay_out(rows, PHOTOGRAPH)
    assert any(chosen in label.box.names for label in boxes.labels(sheet.boxes, chosen=chosen))
    assert len(filled(architecture.shapes(rows, PHOTOGRAPH, chosen=chosen), LIGHT.accent)) == 1
    assert not filled(architecture.shapes(rows, PHOTOGRAPH), LIGHT.accent)


def test_a_front_is_drawn_where_its_box_stands():
    rows = summarize(LENET, DIGIT)
    conv2 = boxes.lay_out(rows, DIGIT).boxes[3]
    (front,) = filled(architecture.shapes(rows, DIGIT, chosen="conv2"), LIGHT.accent)
    corners = np.array([[x, y] for x, y in zip(front.x, front.y, strict=True) if x is not None])
    assert corners.min(axis=0) == pytest.approx([conv2.left, conv2.bottom])
    assert np.ptp(corners, axis=0) == pytest.approx([conv2.length, conv2.height])


def test_pointing_at_a_box_tells_its_numbers_and_costs():
    told = trace(architecture.shapes(summarize(LENET, DIGIT), DIGIT), "boxes").hovertext
    assert told[1] == (
        "<b>conv1, sigmoid1</b><br>6 x 28 x 28 = 4,704 numbers<br>156 parameters, 117,600 mult-adds"
    )
    assert told[2] == "<b>pool1</b><br>6 x 14 x 14 = 1,176 numbers"


def test_the_marks_are_as_long_as_what_they_stand_for():
    rows = summarize(LENET, DIGIT)
    sheet = boxes.lay_out(rows, DIGIT)
    marks = {
        shape.name: (shape.x1 - shape.x0, shape.y1 - shape.y0)
        for shape in architecture.shapes(rows, DIGIT).layout.shapes
        if shape.name != "way"
    }
    assert marks == {
        "4 channels": pytest.approx((4 * sheet.channel, 0)),
        "5 pixels": pytest.approx((0, 5 * sheet.pixel)),
        "50 numbers": pytest.approx((0, 50 * sheet.feature)),
    }


def test_a_network_of_vectors_has_no_scale_of_channels():
    fig = architecture.shapes(summarize(parse("256-10"), (784,)), (784,))
    assert [note.text for note in fig.layout.annotations] == ["100 numbers"]


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_words_have_the_colours_of_the_theme(palette):
    fig = architecture.shapes(summarize(LENET, DIGIT), DIGIT, chosen="pool1", palette=palette)
    names = trace(fig, "names")
    colours = dict(zip(names.text, names.insidetextfont.color, strict=True))
    assert colours["<b>pool1</b><br>6 x 14 x 14"] == palette.accent
    assert colours["<b>flatten</b><br>400"] == palette.text


def test_bars_say_their_numbers_in_the_order_of_the_vector():
    bars = architecture.number_bars(np.array([0.12345, -2], np.float32), ["cat", "dog"])
    assert bars["class"] == ["cat", "dog"]
    assert bars["text"] == ["0.123", "-2"]


def trace(fig, name):
    return next(trace for trace in fig.data if trace.name == name)


def filled(fig, colour):
    return [trace for trace in fig.data if trace.type == "scatter" and trace.fillcolor == colour]
