"""What this machine can train on, found without loading torch into the server."""

import subprocess
import sys

import streamlit as st

from cnn_core import runs

DEVICE_TITLES = {"cuda": "NVIDIA GPU (CUDA)", "mps": "Apple GPU (MPS)", "cpu": "processor (CPU)"}


def devices() -> tuple[str, ...]:
    """Name the devices of this machine, the fastest first, as torch sees them."""
    machine = runs.machine()
    return machine.devices if machine else _ask_torch()


@st.cache_resource(show_spinner="Asking PyTorch what this machine has")
def _ask_torch() -> tuple[str, ...]:
    # In a process of its own: torch would cost the server more memory than everything else together.
    question = "from cnn_core import training; print(*training.devices())"
    answer = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, timeout=120)
    return tuple(answer.stdout.split()) or ("cpu",)
