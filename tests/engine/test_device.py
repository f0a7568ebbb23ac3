"""Names of devices."""

from __future__ import annotations

import math

import pytest
import torch

from scclr_ext.engine.device import device_of, encoding, free_memory, make_fabric, precision_of, training


def test_the_cpu() -> None:
    assert device_of("cpu") == torch.device("cpu")
    assert make_fabric(device_of("cpu")).device == torch.device("cpu")


@pytest.mark.parametrize("job", ["jupyter", "sbatch"])
def test_one_process_in_a_job_of_several_tasks(monkeypatch, job) -> None:
    for name, value in {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": job, "SLURM_PROCID": "2", "SLURM_LOCALID": "2"}.items():
        monkeypatch.setenv(name, value)
    fabric = make_fabric(torch.device("cpu"))
    assert (fabric.world_size, fabric.global_rank, fabric.is_global_zero) == (1, 0, True)
    with pytest.raises(ValueError, match=r"`devices=2` and `num_nodes=1` do not fit how this job was .*ntasks"):
        make_fabric(torch.device("cpu"), devices=2)


def test_auto_is_a_device_that_is_there() -> None:
    device = device_of("auto")
    assert torch.zeros(2, device=device).sum() == 0
    if torch.cuda.is_available():
        assert device.type == "cuda"


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_the_order_of_auto(monkeypatch, cuda, mps, expected) -> None:
    asked = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch, "empty", lambda *_, device: asked.append(device))
    assert device_of("auto").type == expected
    assert [d.type for d in asked] == [expected], "it is tried out before a training starts"


@pytest.mark.parametrize("name", ["gpu", "xpu-3"])
def test_what_is_no_device_is_refused_in_few_words(name) -> None:
    with pytest.raises(
        ValueError, match=f"^`device='{name}'` is not available here .PyTorch knows no.* 'cuda' or 'mps'.$"
    ):
        device_of(name)


@pytest.mark.parametrize("name", [None, 3.5, ["cpu"]])
def test_a_device_is_a_name(name) -> None:
    with pytest.raises(TypeError, match="`device` must be a name such as 'auto'.*found"):
        device_of(name)


@pytest.mark.parametrize("name", ["cuda:99", ""])
def test_what_is_not_there_is_refused_with_a_way_out(name) -> None:
    with pytest.raises(ValueError, match=rf"`device='{name}'` is not available here .*Use 'auto' or 'cpu'"):
        device_of(name)


def test_no_gpu_here() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(ValueError, match="`device='cuda'` is not available"):
        device_of("cuda")


# Precision

CPU, CUDA, MPS = torch.device("cpu"), torch.device("cuda:0"), torch.device("mps")


@pytest.mark.parametrize(
    ("device", "capability", "expected"),
    [
        (CPU, None, "float32"),
        (MPS, None, "float32"),
        (CUDA, (7, 5), "float32"),
        (CUDA, (8, 0), "bf16"),
        (CUDA, (9, 0), "bf16"),
    ],
)
def test_auto_is_bf16_only_on_gpus_made_for_it(monkeypatch, device, capability, expected) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert precision_of("auto", device) == expected
    assert precision_of("float32", device) == "float32"


def test_only_gpus_have_a_memory_of_their_own(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3, 80))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 50)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 10)
    assert free_memory(torch.device("cuda:0")) == 43
    assert free_memory(torch.device("cpu")) == free_memory(torch.device("mps")) == math.inf


@pytest.mark.parametrize("device", [CPU, MPS])
def test_what_a_device_cannot_do_is_refused(device) -> None:
    with pytest.raises(ValueError, match="`precision='tf32'` does not exist on"):
        precision_of("tf32", device)
    with pytest.raises(ValueError, match="`precision='fp16'` is unknown"):
        precision_of("fp16", device)
    if device == MPS:
        with pytest.raises(ValueError, match="`precision='bf16'` does not exist on 'mps'"):
            precision_of("bf16", device)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_only_products_are_in_bf16_and_only_within(precision) -> None:
    x = torch.ones(2, 2)
    with encoding(precision, CPU):
        assert (x @ x).dtype == (torch.bfloat16 if precision == "bf16" else torch.float32)
        assert (x + x).dtype == torch.float32
    assert (x @ x).dtype == torch.float32


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_tf32_is_allowed_only_within(precision) -> None:
    before = torch.get_float32_matmul_precision()
    with pytest.raises(RuntimeError), training(precision):
        assert torch.get_float32_matmul_precision() == ("high" if precision == "tf32" else before)
        raise RuntimeError
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize(("name", "expected"), [("cuda", "cuda:1"), ("auto", "cuda:1"), ("cuda:0", "cuda:0")])
def test_a_gpu_is_known_by_its_number(monkeypatch, name, expected) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch, "empty", lambda *_, device: None)
    assert str(device_of(name)) == expected


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_pytorch_is_not_asked_for_a_setting_that_is_not_needed(monkeypatch, precision) -> None:
    def refuse() -> None:
        msg = "mix of the legacy and new APIs"
        raise RuntimeError(msg)

    monkeypatch.setattr(torch, "get_float32_matmul_precision", refuse)
    with training(precision):
        pass
