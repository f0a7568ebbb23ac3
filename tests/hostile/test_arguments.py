"""Every argument of every public function meets values that it cannot take, and says so by name."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import scclr_ext as clr
from anndata_state import freeze_adata
from hostile.arguments import ARGUMENTS, ELSEWHERE, FINE
from hostile.judge import documented, faults
from hostile.rows import NOT_ON_AN_ANNDATA, ROWS

pytestmark = pytest.mark.filterwarnings("ignore:(Do not trust|The contributions to):UserWarning")


def public() -> dict[str, Any]:
    found = {}
    for subpackage in sorted(set(clr.__all__) - {"settings", "__version__"}):
        module = getattr(clr, subpackage)
        found |= {f"{subpackage}.{n}": f for n in module.__all__ if inspect.isfunction(f := getattr(module, n))}
    return found


PUBLIC = public()
ROW_OF = {name: row for name, row in ROWS.items() if " " not in name}


def test_every_public_function_has_a_row() -> None:
    arrays_in = {name for name in PUBLIC if name.startswith("metrics.")}  # tests/metrics/test_hostile_arrays.py
    missing = set(PUBLIC) - set(ROW_OF) - set(NOT_ON_AN_ANNDATA) - arrays_in
    assert not missing, f"add a row to tests/helpers/hostile/rows.py: {sorted(missing)}"
    gone = (set(ROW_OF) | set(NOT_ON_AN_ANNDATA)) - set(PUBLIC)
    assert not gone, f"take the row out of tests/helpers/hostile/rows.py: {sorted(gone)}"


def test_every_argument_has_bad_values() -> None:
    known = set(ARGUMENTS) | set(ELSEWHERE)
    missing = {
        f"{function}: {name}"
        for function in ROW_OF
        for name in inspect.signature(PUBLIC[function]).parameters
        if name not in known
    }
    assert not missing, f"add them to tests/helpers/hostile/arguments.py: {sorted(missing)}"


def test_every_function_documents_what_it_raises() -> None:
    assert not [name for name in ROW_OF if not documented(PUBLIC[name])]


PRODUCT = [
    pytest.param(function, argument, value, id=f"{function}: {argument}={value!r}")
    for function in ROW_OF
    for argument in inspect.signature(PUBLIC[function]).parameters
    for value in ARGUMENTS.get(argument, [])
    if value not in FINE.get((function, argument), [])
]


@pytest.mark.parametrize(("function", "argument", "value"), PRODUCT)
def test_a_bad_value_is_named(bases, function, argument, value) -> None:
    row = ROW_OF[function]
    adata = bases[row.base].copy()
    before = freeze_adata(adata)
    with pytest.raises((KeyError, ValueError, TypeError)) as caught:
        row.call(adata, **{argument: value})
    assert not faults(caught.value, PUBLIC[function])
    message = str(caught.value.args[0])
    assert argument in message or repr(value) in message, message
    assert freeze_adata(adata) == before
