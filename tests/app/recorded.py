"""What the tests of the trainer's page share: runs that were written down by hand, and what an app shows."""

import time

from streamlit.testing.v1 import AppTest

from cnn_core import runs
from cnn_core.runs import folders
from cnn_core.training import EpochEnded, Finished, Settings, Started, StepLogged, checkpoints, train

PAGE = "networks/lenet_trainer.py"
STARTED = Started(
    device="cpu",
    num_threads=1,
    versions={},
    num_train=3600,
    num_validation=400,
    num_params=61706,
    steps_per_epoch=57,
    data_sha256="",
)
STEP = StepLogged(step=57, epoch=1, loss=2.0, accuracy=0.25, examples_per_second=3000.0)
EPOCH = EpochEnded(
    epoch=1,
    step=57,
    train_loss=2.1,
    train_accuracy=0.24,
    validation_loss=1.9,
    validation_accuracy=0.3125,
    examples_per_second=3000.0,
    seconds=1.2,
)
RESULT = Finished(test_loss=1.8, test_accuracy=0.375, confusion=((10,) * 10,) * 10, predictions=(0,) * 1000)


def record(settings: Settings, *events, owner: str = "somebody") -> str:
    """Write down a run as a worker would have."""
    run_id = folders.create(settings, owner=owner, device=None)
    for event in events:
        folders.append(folders.path_of(run_id), event)
    return run_id


def keep(run_id: str, *, epoch: int = 0, step: int = 0) -> None:
    """Write down a checkpoint of a run, as after so many epochs, and steps of the next one."""
    run = runs.get(run_id)
    events = train(run.settings, device="cpu")
    state = next(events).state
    state.progress.epoch, state.progress.step = epoch, step
    checkpoints.save(run.checkpoint, state)
    events.close()


def damage(run_id: str) -> None:
    """Leave a checkpoint that cannot be read."""
    run = runs.get(run_id)
    run.checkpoint.mkdir(exist_ok=True)
    (run.checkpoint / checkpoints.FILE_NAME).write_bytes(b"not a checkpoint")


def followed(app: AppTest) -> runs.Run:
    given = app.query_params["run"]
    return runs.get(given if isinstance(given, str) else given[0])


def wait_until(app: AppTest, condition, *, seconds: float = 60) -> None:
    """Rerun the page, as its own timer does in a browser, until something is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
        app.run()
        assert not app.exception


def texts(app: AppTest) -> str:
    parts = (app.markdown, app.caption, app.success, app.info, app.warning, app.error)
    return "\n".join(element.value for group in parts for element in group)


def orders(app: AppTest) -> list[str]:
    """Return what the visitor can have the run do now."""
    wants = ("run", "pause", "step", "epoch", "stop")
    return [want for want in wants if any(button.key == f"t-{want}" for button in app.button)]


def progress(app: AppTest) -> str:
    return "\n".join(element.proto.text for element in app.get("progress"))


def captions(app: AppTest) -> str:
    return "\n".join(image.caption for element in app.get("image") for image in element.proto.imgs)


def line(app: AppTest):
    """Find the field of a network in one line; its key changes with what it is made to show."""
    return next(each for each in app.text_input if each.label == "Network in one line")


def preset(app: AppTest):
    """Find the list of networks."""
    return next(each for each in app.selectbox if each.label == "Network")
