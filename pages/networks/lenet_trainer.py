from collections.abc import Collection

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cnn_core import data, runs
from cnn_core.network import format as format_network
from cnn_core.shapes import format_shape
from cnn_core.summary import summarize
from cnn_core.training import Settings
from cnn_core.training.recipes import RECIPES
from ui import controls, machine, page, visitor
from ui.networks import (
    data_panel,
    recipe,
    results,
    runs_table,
    trained_network,
    training,
    training_code,
    training_text,
    training_uploads,
)
from ui.wording import percent

USUAL = Settings()
LAST_GOOD = "trainer-last-good-settings"
REFUSED = "trainer-refused-start"


def choose_settings(more_place: DeltaGenerator) -> Settings | None:
    """Read the controls. None, with a message in place, if they cannot be trained."""
    name = controls.choice(
        "Data set",
        tuple(data.DATASETS),
        key="t-data",
        default=USUAL.data,
        format=lambda name: data.find_spec(name).title,
        as_list=True,
    )
    data_panel.show(name)
    network = trained_network.choose(default=USUAL.network)
    if network:
        trained_network.link_to_architecture(network, data.find_spec(name).input_shape)
    chosen = recipe.choose(data.find_spec(name), more_place=more_place)
    if not network:
        return None
    with page.errors_in_place():
        return Settings(data=name, network=network, **chosen)
    return None


def choose_device() -> str | None:
    """Show where the training will run, or offer a choice, as soon as the worker knows it."""
    known, trouble = runs.machine(), runs.trouble()
    if known is None or trouble:
        st.fragment(wait_for_engine, run_every=1.0)(trouble)
        return None
    if len(known.devices) > 1:
        return controls.choice("Device", known.devices, key="t-device", format=machine.DEVICE_TITLES.get)
    st.caption(f"Trains on this machine's {machine.DEVICE_TITLES[known.devices[0]]}.")
    return None


def wait_for_engine(trouble: str) -> None:
    """Say why nothing can be trained yet, until that changes."""
    if trouble:
        st.warning(
            f"No training can be executed now: {trouble}. The page shows when that changes. "
            "Opening it again tries at once.",
            icon=":material/power_off:",
        )
    else:
        st.caption("PyTorch is being loaded beside the app. That takes some seconds, once.")
    if runs.trouble() != trouble or (runs.machine() and not trouble):
        st.rerun()


def start(
    settings: Settings | None,
    run: runs.Run | None,
    device: str | None,
    weights: dict[str, np.ndarray] | None,
    available: Collection[str],
) -> None:
    """Draw the button that starts a training, and say what is in its way."""
    is_own = run is not None and run.belongs_to(visitor.owner())
    is_active = run is not None and not run.is_over
    obstacle = ""
    if settings is None:
        obstacle = "These settings cannot be trained; the message above says why."
    elif settings.data not in available:
        obstacle = "The data set is not here yet."
    elif is_active and is_own:
        obstacle = "Your training is under way. Stop it, or wait for its end, to start another."
    st.button(
        "Start",
        key="t-start",
        type="primary",
        icon=":material/play_arrow:",
        disabled=bool(obstacle),
        on_click=submit,
        args=(settings, device, weights),
    )
    if obstacle:
        st.caption(obstacle)
    elif is_active:
        st.caption("Somebody else started the training beside; you may start one of your own.")
    if refused := st.session_state.pop(REFUSED, ""):
        st.error(refused, icon=":material/error:")


def submit(settings: Settings, device: str | None, weights: dict[str, np.ndarray] | None) -> None:
    try:
        visitor.follow(runs.submit(settings, owner=visitor.owner(), device=device, weights=weights))
    except (runs.RunRefused, ValueError) as error:
        st.session_state[REFUSED] = str(error)


def find_run() -> runs.Run | None:
    try:
        return visitor.followed_run()
    except runs.UnknownRun:
        st.warning(
            "The training that this address names is not on this machine. It may be too old and have been "
            "removed, or the address may be incomplete. You can start a new one.",
            icon=":material/link_off:",
        )
        return None


def settings_to_try(available: Collection[str]) -> list[page.Setting]:
    published = {"t-network": "lenet", "t-optimizer": "sgd", "t-rate": 0.1, "t-momentum": 0.0}
    to_try = [
        page.Setting(
            "Published LeNet",
            "Sigmoids, average pooling and SGD, on digits. Why does the loss stay on its dashed line?",
            published | {"t-epochs": 10},
        ),
        page.Setting(
            "With ReLU",
            "The same recipe for LeNet with ReLU and max pooling. When does it leave the dashed line?",
            published | {"t-network": "lenet-modern", "t-epochs": 10},
        ),
        page.Setting(
            "With Adam",
            "The published network again, with another optimizer. Where does the plateau end?",
            {"t-network": "lenet", "t-epochs": 10},
        ),
    ]
    if "fashion-mnist" in available:
        to_try.append(
            page.Setting(
                "On clothes",
                "The published recipe on Fashion-MNIST: fifteen times as many pictures. When does the loss fall?",
                published | {"t-data": "fashion-mnist", "t-batch": 128, "t-epochs": 5},
            )
        )
        to_try += [
            page.Setting(each.title, each.sentence, recipe.control_values(each.settings))
            for each in RECIPES.values()
        ]
    else:
        to_try.append(
            page.Setting(
                "No convolution",
                "More parameters, and each sees the whole picture. Does that make it better?",
                {"t-network": "mlp", "t-epochs": 10},
            )
        )
    return to_try


def layer_table(settings: Settings) -> None:
    st.subheader("The network, layer by layer", anchor=False)
    rows = summarize(settings.layers, settings.spec.input_shape)
    num_params, mult_adds = sum(row.num_params for row in rows), sum(row.mult_adds for row in rows)
    lines = [
        f"| {row.name} | {format_shape(row.output_shape)} | {row.num_params:,} | {row.mult_adds:,} |"
        for row in rows
    ]
    head = "| Layer | Output shape | Parameters | Mult-adds |\n|---|---|---:|---:|\n"
    left, right = st.columns([3, 2], gap="large")
    left.markdown(head + "\n".join(lines) + f"\n| **Total** | | **{num_params:,}** | **{mult_adds:,}** |")
    largest = max(rows, key=lambda row: row.num_params)
    busiest = max(rows, key=lambda row: row.mult_adds)
    right.markdown(
        f"A picture comes in as {format_shape(settings.spec.input_shape)}: "
        "channels x height x width. Mult-adds are the multiplications for one picture.\n\n"
        f"**{largest.name}** holds the most parameters: {largest.num_params:,} of {num_params:,}, "
        f"or {percent(largest.num_params / num_params)}.\n\n"
        f"**{busiest.name}** does the most work: {busiest.mult_adds:,} of {mult_adds:,} mult-adds, "
        f"or {percent(busiest.mult_adds / mult_adds)}.\n\n"
        f"The same network in one line, as a terminal takes it: `{format_network(settings.layers)}`"
    )


def show() -> None:
    runs.warm_up()
    page.header(
        "LeNet trainer",
        "What does a network learn from pictures, and how fast?",
        ideas=[
            "loss and accuracy",
            "training, validation, test",
            "feature maps",
            "learned kernels",
            "plateau",
        ],
    )
    run, available = find_run(), data.available()
    left, right = st.columns([2, 3], gap="large")
    with left:
        # Start stays in sight: what is seldom needed is drawn below it, though it is read before.
        usual_place, start_place, more_place = st.container(), st.container(), st.container()
        with usual_place:
            settings = choose_settings(more_place)
        with more_place:
            training_uploads.bring_settings()
            weights = training_uploads.bring_weights(settings)
        with start_place:
            device = choose_device()
            start(settings, run, device, weights, available)
    shown = last_good(settings)
    with right:
        training.panel(run, shown)
    reading(settings, run)
    page.try_this(settings_to_try(available), prefix="t-")
    if run:
        results.sections(run)
    runs_table.section(visitor.owner(), run, shown, weights)
    layer_table(shown)
    training_text.explain(shown)
    training_code.show(shown)


def last_good(settings: Settings | None) -> Settings:
    """Return the settings; where they cannot be trained, the last ones that could."""
    if settings:
        st.session_state[LAST_GOOD] = settings
    return st.session_state.get(LAST_GOOD, USUAL)


def reading(settings: Settings | None, run: runs.Run | None) -> None:
    """Say what Start would do."""
    if settings is None:
        shown = "the last settings that were right" if LAST_GOOD in st.session_state else "the usual settings"
        page.reading(f"Nothing can be trained with these settings. Table and code below are of {shown}.")
        return
    ends_early = bool(settings.target_accuracy or settings.max_minutes or settings.patience)
    num_steps = "at most " * ends_early + f"{settings.num_steps:,}"
    page.reading(
        f"Start trains on {settings.num_train:,} pictures in {num_steps} steps "
        f"({settings.steps_per_epoch:,} in each epoch) and keeps {settings.num_validation:,} for validation."
    )
    if also := recipe.unusual(settings):
        st.caption(f"Also: {', '.join(also)}.")
    is_active = run is not None and not run.is_over  # then the panel says it
    if training.may_stand_still(settings) and not is_active:
        st.info(training.plateau_warning(settings), icon=":material/hourglass:")


show()
