"""What dies while it saves leaves a whole checkpoint: the old one or the new one."""

import json
import os
import subprocess
import sys

import pytest

from tests.core.running import ROOT

NUM_KILLS = 25

SAVERS = """
import itertools, json, os, random, signal, sys, time
import torch
from cnn_core.training import Settings, checkpoints
from cnn_core.training.state import fresh

torch.set_num_threads(1)  # others would not outlast a fork
folder, num_kills = sys.argv[1], int(sys.argv[2])
state = fresh(Settings(network="mlp"), torch.device("cpu"))
moments = random.Random(0)

def save_as(number):
    \"\"\"Save a checkpoint in which everything is this number.\"\"\"
    for parameter in state.model.parameters():
        parameter.data.fill_(number)
    state.progress.epoch = number
    checkpoints.save(folder, state)

def save_for_ever(first):
    for number in itertools.count(first):
        save_as(number)
        os.write(told, b".")

save_as(0)
found = [0]
for _ in range(num_kills):
    heard, told = os.pipe()
    saver = os.fork()
    if not saver:
        save_for_ever(found[-1] + 1)
    os.read(heard, 1)
    time.sleep(moments.uniform(0, 0.05))
    os.kill(saver, signal.SIGKILL)
    os.waitpid(saver, 0)
    os.close(heard), os.close(told)
    checkpoint = checkpoints.load(folder)
    numbers = {float(value) for array in checkpoint.arrays.values() for value in (array.min(), array.max())}
    assert numbers == {checkpoint.progress["epoch"]}, numbers
    found.append(checkpoint.progress["epoch"])
print(json.dumps(found))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the savers are forked, so that torch is loaded once")
def test_a_checkpoint_is_whole_after_each_of_25_kills_while_it_is_saved(tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", SAVERS, str(tmp_path), str(NUM_KILLS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == NUM_KILLS + 1
    assert found == sorted(set(found))
    # Some died in the middle of their work: a part of a file lies beside the whole one.
    assert len(list(tmp_path.glob(".checkpoint.safetensors.*"))) > 0
