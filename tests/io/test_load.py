"""Loading: what earlier releases wrote, and what nobody should have written."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import tracemalloc
from pathlib import Path

import anndata as ad
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import scclr_ext as clr
from scclr_ext.io import ModelError
from scclr_ext.io._files import checksum, sha256

FIXTURES = Path(__file__).parent / "fixtures" / "format-1"
METHODS = ("clear", "contrastive-sc", "scclr")
FILES = ("model.json", "weights.safetensors", "reference.safetensors")


def values_of(method: str) -> np.ndarray:
    return np.loadtxt(FIXTURES / f"{method}.csv", delimiter=",", dtype=np.float32)


@pytest.mark.parametrize("method", METHODS)
def test_models_of_this_release_load_in_the_next(method) -> None:
    model = clr.io.load(FIXTURES / method)
    assert (model.method, model.preset) == (method, "custom")
    assert (model.config.steps, model.config.hidden, model.config.embedding_dim) == (20, (8,), 4)
    assert model.genes.tolist() == [f"gene{i}" for i in range(12)]
    assert model.training["params"]["n_genes"] == 12
    assert model.training["history"]["step"][-1] == 20
    assert model.reference.column == "cell_type"
    assert model.reference.labels == ("even", "odd")
    assert model.reference.codes.tolist() == [0, 1] * 12
    # Written when it was trained, embedded now: other versions may round otherwise.
    np.testing.assert_allclose(
        model.trained.embed(values_of(method), device="cpu"), model.reference.embedding, atol=1e-4
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_moments_are_those_of_the_data(method) -> None:
    model, values = clr.io.load(FIXTURES / method), values_of(method).astype(float)
    np.testing.assert_allclose(model.mean, values.mean(0), rtol=1e-5)
    np.testing.assert_allclose(model.std, values.std(0, ddof=1), rtol=1e-5)
    library_size = np.expm1(values).sum(1)
    np.testing.assert_allclose(library_size, model.preprocess["target_sum"], rtol=1e-4)


def test_loading_again_gives_the_same(folder) -> None:
    first, second = clr.io.load(folder), clr.io.load(str(folder))
    assert first.config == second.config
    values = values_of("scclr")
    assert (first.trained.embed(values, device="cpu") == second.trained.embed(values, device="cpu")).all()


# What is no model


def test_no_folder(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="no folder"):
        clr.io.load(tmp_path / "nothing")


def test_no_path() -> None:
    with pytest.raises(TypeError, match="`folder` must be the folder.*found AnnData"):
        clr.io.load(ad.AnnData())


def test_a_file(folder) -> None:
    with pytest.raises(ModelError, match="is no folder"):
        clr.io.load(folder / "model.json")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(folder, name) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing"):
        clr.io.load(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", FILES)
def test_a_pipe_is_not_waited_for(folder, name) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(ModelError, match="missing"):
        clr.io.load(folder)


@pytest.mark.parametrize("name", FILES)
def test_files_of_another_model(folder, name) -> None:
    shutil.copy(FIXTURES / "clear" / name, folder / name)
    with pytest.raises(ModelError):
        clr.io.load(folder)


def test_weights_of_another_training_with_the_same_shapes(folder) -> None:
    weights = load_file(folder / "weights.safetensors")
    save_file({name: value + np.float32(0.01) for name, value in weights.items()}, folder / "weights.safetensors")
    with pytest.raises(ModelError, match="belongs to another model"):
        clr.io.load(folder)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damage_is_noticed(name, data) -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(shutil.copytree(FIXTURES / "scclr", Path(parent) / "model"))
        content = bytearray((folder / name).read_bytes())
        if data.draw(st.booleans(), label="truncate"):
            content = content[: data.draw(st.integers(0, len(content) - 1))]
        else:
            content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        (folder / name).write_bytes(content)
        try:
            model = clr.io.load(folder)
        except ModelError:
            return
        # Only what means the same passes: a space that became another, a name in a file nobody reads.
        assert name == "model.json"
        sound = clr.io.load(FIXTURES / "scclr")
        assert (model.config, model.mean.tolist()) == (sound.config, sound.mean.tolist())
        assert json.loads(content) == json.loads((FIXTURES / "scclr" / name).read_text())


# What a checksum that was renewed does not hide

HOSTILE = {
    "schema_version": [2, 0, -1, "1", True, None, 10**300, 1.0],
    "method": ["evil", "", None, 1, ["scclr"], "../clear", "contrastive-sc"],
    "preset": [None, 1, {}],
    "config": [None, [], {"steps": "many"}, {"steps": 1, "new": 1}, {"steps": 5, "hidden": [2**31]}],
    "genes": [None, [], [1] * 12, ["a"] * 12, ["a", "b"], "abcdefghijkl"],
    "mean": [None, [], [0.0] * 11, ["0"] * 12, [None] * 12, [1e300] * 12, [10**400] * 12, [[0.0]] * 12],
    "std": [[-1.0] * 12, [0.0] * 13, {}],
    "n_cells": [0, -5, 2**60, 1.5, "24", True, None],
    "n_components": [-1, 10**9, None, 5],
    "preprocess": [
        None,
        {},
        {"target_sum": "x"},
        {"target_sum": -1},
        {"target_sum": 1e300},
        {"target_sum": True},
        {"target_sum": 1, "library_share": "x"},
    ],
    "training": [None, [], {}, {"history": 3}, {"history": {"step": [1], "loss": [1, 2]}}],
    "weights_sha256": [None, "", "0" * 64, 5],
    "reference": [[], {}, 1, {"n_cells": 24, "column": "x", "labels": ["a"]}],
    "extra": ["../../etc/passwd"],
    "format": [None, "pickle", 1],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in HOSTILE.items() for v in values])
def test_nonsense_is_refused(folder, rewrite, name, value) -> None:
    rewrite(folder, lambda document: document.update({name: value}))
    with pytest.raises(ModelError) as caught:
        clr.io.load(folder)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [n for n in HOSTILE if n not in {"extra", "reference"}])
def test_a_missing_part_is_refused(folder, rewrite, name) -> None:
    rewrite(folder, lambda document: document.pop(name))
    with pytest.raises(ModelError):
        clr.io.load(folder)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("scale", 1),
        ("temperature", "0.2"),
        ("temperature", -1),
        ("temperature", 10**400),
        ("batch_size", 1e3),
        ("batch_size", 2**40),
        ("optimizer", "rm -rf"),
        ("hidden", 8),
        ("hidden", [8.5]),
        ("hidden", [[8]]),
        ("hidden", [8] * 1000),
        ("hidden", [-8]),
        ("hidden", [2**30, 2**30]),
        ("embedding_dim", 0),
        ("embedding_dim", 2**30),
        ("steps", None),
    ],
)
def test_a_setting_of_the_wrong_kind_is_refused(folder, rewrite, setting, value) -> None:
    rewrite(folder, lambda document: document["config"].update({setting: value}))
    with pytest.raises(ModelError):
        clr.io.load(folder)


NOT_A_DOCUMENT = ["", "null", "[]", "{}", "nan", "{" * 10, "[" * 100_000, '{"a":' * 100_000, "\x00", "1" * 5000]


@pytest.mark.parametrize("text", [*NOT_A_DOCUMENT, '{"format": 1e400}'], ids=range(11))
def test_other_json_is_refused(folder, text) -> None:
    (folder / "model.json").write_text(text)
    with pytest.raises(ModelError):
        clr.io.load(folder)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_no_numbers_are_refused(folder, constant) -> None:
    text = (folder / "model.json").read_text()
    (folder / "model.json").write_text(text.replace('"n_cells": 24', f'"n_cells": {constant}'))
    with pytest.raises(ModelError, match="is no number"):
        clr.io.load(folder)


def test_a_name_that_occurs_twice_is_refused(folder) -> None:
    text = (folder / "model.json").read_text()
    (folder / "model.json").write_text(text.replace('"n_cells": 24', '"n_cells": 24, "n_cells": 24'))
    with pytest.raises(ModelError, match="twice"):
        clr.io.load(folder)


def test_deep_nesting_is_refused_even_where_nobody_looks(folder) -> None:
    text = (folder / "model.json").read_text()
    deep = "[" * 50_000 + "]" * 50_000
    (folder / "model.json").write_text(text.replace('"training": {', f'"training": {{"x": {deep}, '))
    with pytest.raises(ModelError):
        clr.io.load(folder)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), value=JSON)
def test_any_json_anywhere(data, value) -> None:
    document = json.loads((FIXTURES / "scclr" / "model.json").read_text())
    table = document
    for _ in range(3):
        key = data.draw(st.sampled_from(sorted(table) if isinstance(table, dict) else range(len(table))))
        if not isinstance(table[key], dict | list) or not table[key] or data.draw(st.booleans()):
            break
        table = table[key]
        key = None
    if key is None:
        key = data.draw(st.sampled_from(sorted(table) if isinstance(table, dict) else range(len(table))))
    table[key] = value
    document["checksum"] = checksum(document)
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(shutil.copytree(FIXTURES / "scclr", Path(parent) / "model"))
        (folder / "model.json").write_text(json.dumps(document))
        try:
            model = clr.io.load(folder)
        except ModelError as error:
            assert len(str(error)) < 400
        else:
            assert np.isfinite(model.trained.embed(values_of("scclr"), device="cpu")).all()


# What would need much memory


def with_weights(folder: Path, rewrite, weights: bytes) -> None:
    (folder / "weights.safetensors").write_bytes(weights)
    rewrite(folder, lambda document: document.update(weights_sha256=sha256(weights)))


def as_safetensors(header: dict, body: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


BOMBS = {
    "a header of 2**63 bytes": (2**63 - 1).to_bytes(8, "little") + b"{}",
    "huge shape": as_safetensors({"axes": {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 0]}}),
    "shape that overflows": as_safetensors({"axes": {"dtype": "F32", "shape": [2**63, 2], "data_offsets": [0, 0]}}),
    "offsets beyond the end": as_safetensors({"axes": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}),
    "negative offsets": as_safetensors({"axes": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}}),
    "a strange type": as_safetensors({"axes": {"dtype": "object", "shape": [], "data_offsets": [0, 0]}}),
    "no header": b"",
    "no JSON": as_safetensors({})[:9],
    "no tensors": as_safetensors({}),
    "a pickle": b"\x80\x04cposix\nsystem\n(S'true'\ntR.",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_do_not_go_off(folder, rewrite, name) -> None:
    with_weights(folder, rewrite, BOMBS[name])
    tracemalloc.start()
    with pytest.raises(ModelError):
        clr.io.load(folder)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6


def test_a_file_of_the_wrong_size_is_not_read(folder, rewrite) -> None:
    with (folder / "weights.safetensors").open("r+b") as file:
        file.truncate(2**33)  # 8 GiB of zeros that take no space
    with pytest.raises(ModelError, match="more than such a model can have"):
        clr.io.load(folder)


def test_settings_that_ask_for_much_allocate_nothing(folder, rewrite) -> None:
    rewrite(folder, lambda document: document["config"].update(hidden=[2**24, 2**24]))
    with pytest.raises(ModelError, match="larger than any"):
        clr.io.load(folder)


@pytest.mark.parametrize("change", ["dtype", "shape", "name", "more", "less", "nan"])
def test_weights_that_do_not_fit_the_settings(folder, rewrite, change) -> None:
    weights = load_file(folder / "weights.safetensors")
    first = weights["axes"]
    if change == "dtype":
        weights["axes"] = first.view(np.int32)
    elif change == "shape":
        weights["axes"] = first.T.copy()
    elif change == "name":
        weights["../../axes"] = weights.pop("axes")
    elif change == "more":
        weights["extra"] = np.zeros(1, dtype=np.float32)
    elif change == "less":
        del weights["axes"]
    else:
        first[0, 0] = math.nan
    save_file(weights, folder / "weights.safetensors")
    with_weights(folder, rewrite, (folder / "weights.safetensors").read_bytes())
    with pytest.raises(ModelError, match="axes|extra"):
        clr.io.load(folder)


def test_a_newer_format_says_so(folder, rewrite) -> None:
    rewrite(folder, lambda document: document.update(schema_version=2))
    with pytest.raises(ModelError, match=r"format 2 by a newer scclr_ext.*Update scclr_ext"):
        clr.io.load(folder)


def test_a_setting_younger_than_the_record_takes_its_usual_value(folder, rewrite) -> None:
    rewrite(folder, lambda document: [document["config"].pop(name) for name in ("warm_up", "max_value")])
    config = clr.io.load(folder).config
    assert config.warm_up == 0.1
    assert config.max_value is None  # a record leaves out what is None
