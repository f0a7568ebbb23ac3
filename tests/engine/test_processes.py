"""Several processes: the loss of the joined minibatch, and the same result in each of them."""

from __future__ import annotations

import copy
import os
import runpy
import subprocess
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from scclr_ext.engine import processes
from scclr_ext.engine.device import make_fabric
from scclr_ext.engine.processes import from_first, gather_rows, share, together

SCRIPT = Path(__file__).with_name("two_processes.py")


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> list[dict[str, np.ndarray]]:
    """What one process finds, and what each of two finds."""
    folder = tmp_path_factory.mktemp("processes")
    files = [folder / "first.npz", folder / "second.npz"]
    root = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    # Started by torchrun; those that Lightning starts itself are tested by the command line's tests.
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *torchrun, str(SCRIPT), "2", *map(str, files)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    alone = runpy.run_path(str(SCRIPT))["train"](1)
    return [alone, *(dict(np.load(file)) for file in files)]


class Several:
    """What `from_first` needs of a Fabric: the first process's broadcast is what the others get."""

    sent: list = []

    def __init__(self, rank: int) -> None:
        self.is_global_zero = rank == 0

    def broadcast(self, value):
        if self.is_global_zero:
            self.sent.append(value)
        return self.sent[-1]


def test_the_first_process_makes_it_for_all() -> None:
    assert from_first(lambda: 5, Several(0)) == 5
    assert from_first(lambda: 1 / 0, Several(1)) == 5


@pytest.mark.parametrize("error", [ValueError("of another run"), FileExistsError("there already")])
def test_what_fails_in_the_first_process_fails_in_all(error) -> None:
    def fail() -> None:
        raise error

    for rank in (0, 1):
        with pytest.raises(type(error), match=str(error)):
            from_first(fail, Several(rank))


def test_joint_statistics_are_single_precision_whatever_the_values_are(monkeypatch) -> None:
    monkeypatch.setattr(processes, "_all", lambda values: [values])
    network = nn.Sequential(nn.BatchNorm1d(3, eps=1e-3, momentum=0.2))
    reference = copy.deepcopy(network)
    processes._replace_batch_norm(network)
    assert (network[0].eps, network[0].momentum) == (1e-3, 0.2)
    x = (torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)) + 5).bfloat16()
    assert network(x).numpy(force=True) == pytest.approx(reference(x.float()).numpy(force=True), abs=1e-4)
    for name, value in reference.state_dict().items():
        if name.startswith("0.running"):
            assert network.state_dict()[name].numpy() == pytest.approx(value.numpy(), rel=1e-5), name


def test_the_loss_is_that_of_one_process(results) -> None:
    alone, first, _ = results
    for name in ("scclr", "clear", "contrastive-sc"):
        for key in (f"{name} loss", f"{name} batches loss"):
            assert first[key] == pytest.approx(alone[key], abs=2e-5), key
            assert np.ptp(alone[key]) > 0.1, "there is something to compare"


def test_the_embedding_is_that_of_one_process(results) -> None:
    alone, first, _ = results
    for name in ("scclr", "clear", "contrastive-sc"):
        for key in (f"{name} embedding", f"{name} batches embedding"):
            # Biases before a batch norm have no gradient but rounding, of which Adam makes whole steps.
            assert first[key] == pytest.approx(alone[key], abs=0.02), key
            assert alone[key].std() > 0.1


def test_a_training_that_diverges_ends_in_every_process(results) -> None:
    assert all("The loss became" in str(found["error"]) for found in results[1:])


@pytest.mark.parametrize("chained", [False, True])
def test_what_a_failed_training_held_is_gone_before_the_processes_part(monkeypatch, chained: bool) -> None:
    held, gone = [], []
    monkeypatch.setattr(processes.dist, "destroy_process_group", lambda: gone.append(held[0]() is None))

    def fail() -> None:
        network = nn.Linear(1, 1)
        network.itself = [network]  # a cycle, as PyTorch's own networks have
        held.append(weakref.ref(network))
        msg = "diverged"
        raise FloatingPointError(msg)

    def explain() -> None:
        try:
            fail()
        except FloatingPointError as error:
            msg = "explained"
            raise ValueError(msg) from error

    with pytest.raises(ValueError if chained else FloatingPointError), together():
        (explain if chained else fail)()
    assert gone == [True]


def test_every_process_gets_the_same(results) -> None:
    _, first, second = results
    for name, values in first.items():
        assert np.array_equal(values, second[name]), name


def test_cells_are_split_evenly() -> None:
    index = torch.arange(100, 107)
    parts = [share(index, SimpleNamespace(world_size=3, global_rank=rank)).tolist() for rank in range(3)]
    assert parts == [[100, 101, 102], [103, 104, 105], [106, 100, 101]]
    one = [share(index[:1], SimpleNamespace(world_size=3, global_rank=rank)).tolist() for rank in range(3)]
    assert one == [[100], [100], [100]]
    assert share(index, SimpleNamespace(world_size=1, global_rank=0)) is index


def test_rows_of_one_process_stay() -> None:
    rows = torch.rand(5, 2, generator=torch.Generator().manual_seed(0))
    assert gather_rows(rows, 5, make_fabric(torch.device("cpu"))) is rows


def test_a_notebook_is_told_where_to_go(monkeypatch) -> None:
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    with pytest.raises(ValueError, match=r"`devices=2` needs processes of its own.*python -m scclr_ext embed"):
        make_fabric(torch.device("cpu"), devices=2)
    with pytest.raises(ValueError, match=r"`devices=2` needs processes of its own"):
        make_fabric(torch.device("cpu"), devices=2, num_nodes=2)
    make_fabric(torch.device("cpu"))


@pytest.mark.parametrize("values", [{"devices": 0}, {"devices": 2, "num_nodes": 0}, {"devices": 2.5}])
def test_numbers_that_make_no_sense(values) -> None:
    with pytest.raises(ValueError, match="`devices` and `num_nodes` must be whole numbers of at least 1"):
        make_fabric(torch.device("cpu"), **values)
