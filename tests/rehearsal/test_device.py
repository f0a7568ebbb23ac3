"""The pretend device keeps a GPU's rules: without them the other tests of this folder would prove nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rehearsal import pretend

OTHERS = "Expected all tensors to be on the same device"


def on_device(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device="pretend")


@pytest.mark.parametrize(
    "mix",
    [
        lambda x, host: x + host,
        lambda x, host: host + x,
        lambda x, host: host.add_(x),
        lambda x, host: host.sum().add_(x.sum()),
        lambda x, host: x.add_(host),
        lambda x, host: torch.add(x, x, out=host),
        lambda x, host: torch.stack([x, host]),
        lambda x, host: torch.stack([x.sum(), host.sum()]),
        lambda x, host: torch.where(host > 0, x, x),
        lambda x, host: x.index_select(0, torch.arange(2)),
        lambda x, host: x[None] @ host[:, None],
    ],
)
def test_tensors_of_two_devices_are_refused(mix) -> None:
    with pytest.raises(RuntimeError, match=OTHERS):
        mix(on_device(1, 2, 3), torch.ones(3))


def test_numbers_and_indices_of_the_host_are_taken() -> None:
    x = on_device(1, 2, 3)
    assert (x * torch.tensor(2.0)).tolist() == [2, 4, 6]
    assert x[torch.tensor([2, 0])].tolist() == [3, 1]


def test_generators_are_the_devices_own() -> None:
    generators = [torch.Generator("pretend").manual_seed(seed) for seed in (1, 1, 2)]
    a, b, c = (torch.randn(5, device="pretend", generator=generator).tolist() for generator in generators)
    assert a == b != c
    assert generators[0].get_state().equal(generators[1].get_state())
    with pytest.raises(RuntimeError, match="generator"):
        torch.randn(5, device="pretend", generator=torch.Generator())
    with pytest.raises(RuntimeError, match=OTHERS):
        torch.randn(5, generator=generators[0])
    before = torch.get_rng_state()
    torch.randn(5, device="pretend")
    assert before.equal(torch.get_rng_state())


def test_fresh_memory_is_worthless() -> None:
    assert torch.empty(3, device="pretend").isnan().all()
    assert torch.empty(3, dtype=torch.bfloat16, device="pretend").isnan().all()


def test_results_are_the_tensors_that_were_given() -> None:
    x, out = on_device(1, 2, 3), torch.empty(0, device="pretend")
    assert x.add_(1) is x
    assert torch.add(x, x, out=out) is out
    assert out.tolist() == [4, 6, 8]
    view = x[1:].view(2, 1)
    view.zero_()
    assert x.tolist() == [2, 0, 0]
    assert view.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    assert x.resize_(1, 2).tolist() == [[2, 0]]
    assert x.resize_(5)[:3].tolist() == [2, 0, 0]


def trained(device: str, **options: object) -> list[Tensor]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    parameters = list(network.parameters())
    network.to(device)
    assert all(a is b for a, b in zip(parameters, network.parameters(), strict=True))  # as on CUDA
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1, **options)
    for values in torch.randn(5, 6, 4):
        optimizer.zero_grad()
        network(values.to(device)).square().sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return [value.cpu() for value in network.state_dict().values()]


@pytest.mark.parametrize("options", [{"fused": True}, {"foreach": True}, {}], ids=str)
def test_what_an_operator_changes_on_the_side_is_changed(options) -> None:
    # The running statistics of batch normalisation, and the lists of the optimisers.
    for ours, expected in zip(trained("pretend", **options), trained("cpu", **options), strict=True):
        assert ours.equal(expected)


def test_autocast_rounds_what_cudas_does() -> None:
    x = torch.ones(2, 2, device="pretend")
    with torch.autocast("pretend", torch.bfloat16):
        assert (x @ x).dtype == torch.bfloat16
        assert (x + x).dtype == torch.float32
        assert (x @ x).exp().dtype == torch.float32
        assert torch.nn.functional.cross_entropy(x @ x, x.bfloat16() @ x).dtype == torch.float32


@pytest.mark.parametrize(
    "waiting",
    [
        lambda x: float(x[0]),
        lambda x: x.sum().item(),
        lambda x: bool(x[0] > 0),
        lambda x: x.tolist(),
        lambda x: x.cpu(),
        lambda x: x[x > 1],
        lambda x: (x > 1).nonzero(),
        lambda x: x.unique(),
        lambda x: x.repeat_interleave(x.long()),
        lambda x: torch.ones(3).to("pretend"),
        lambda x: torch.tensor(1.0, device="pretend"),
        lambda x: x.copy_(torch.ones(3)),
    ],
)
def test_waiting_is_seen(waiting) -> None:
    x = on_device(1, 2, 3)
    pretend.forget()
    waiting(x)
    assert pretend.waits().total() >= 1
    with pytest.raises(RuntimeError, match="would wait"), pretend.without_waits():
        waiting(x)


def test_what_need_not_wait_does_not() -> None:
    x = on_device(1, 2, 3)
    with pretend.without_waits():
        torch.ones(3).to("pretend", non_blocking=True)
        torch.ones(3).pin_memory().to("pretend", non_blocking=True)
        torch.where(x > 1, x, x.new_zeros(())).sum()
        x.repeat_interleave(x.long(), output_size=6)
        torch.full((2,), 1.0, device="pretend")
    assert pretend.copies(pinned=True) == 1
