"""An engine for the tests of the service: it executes a run until a test ends it."""

from concurrent.futures import Future

from cnn_core import runs
from cnn_core.runs import folders
from cnn_core.runs.engines import Machine
from cnn_core.training import Finished

FINISHED = Finished(test_loss=1.0, test_accuracy=0.5, confusion=((1, 0), (0, 1)), predictions=(0, 1))


class FakeEngine:
    """Executes as many runs at a time as it has slots, each until a test ends it."""

    def __init__(self):
        self.slots = 1
        self.failures = {}
        self.executed = []
        self.ends = {}

    def fail(self, name):
        """Raise what a test has a method raise."""
        if name in self.failures:
            raise self.failures[name]

    def start(self):
        self.fail("start")
        return Machine(devices=("cpu",), num_threads=1, versions={})

    def num_slots(self):
        self.fail("num_slots")
        return self.slots

    def execute(self, folder, attempt, on_end):
        self.fail("execute")
        future = Future()
        self.executed.append(folder.name)
        self.ends[folder.name] = (folder, future, on_end)
        return future

    def let(self, run_id, *events, error=None, failure=""):
        """End a run, with these events in its folder."""
        folder, future, on_end = self.ends.pop(run_id)
        for event in events:
            folders.append(folder, event)
        future.set_exception(error) if error else future.set_result(failure)
        on_end()

    def dismiss(self):
        pass

    def end(self):
        self.fail("end")


def positions(ids):
    return [runs.get(run_id).position for run_id in ids]
