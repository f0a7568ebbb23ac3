"""CLEAR's program with the steps that its momentum encoder needs."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.papers import draw
from benchmarks.papers._experiment import Experiment
from benchmarks.papers._shown import Table
from benchmarks.papers.data import real
from benchmarks.papers.methods import ours, usual
from benchmarks.papers.scores import clusters
from scclr_ext.engine.methods import METHODS

_CODE = METHODS["clear"].presets["code"]
_TIMES = (1, 10, 30, 100)
# What would take too long.
_LONG = {"deng": ("100 x 100 epochs",), "kang_ifnb_muscat": ("30 x 100 epochs", "100 x 100 epochs")}

EXPERIMENT = Experiment(
    name="clear_steps",
    title="12c. CLEAR's program, trained longer",
    paper="CLEAR, Methods",
    published="100 epochs (program) or 200 (paper) with momentum 0.999: on a few hundred or thousand cells that is 100 "
    "to 1 000 steps, after which the key encoder, whose output is the embedding, is still mostly its random start.",
    here='Preset `"code"` with 1, 10, 30 and (on yan) 100 times its epochs, k-means with the true number; PCA beside.',
    data={name: real(name) for name in ("deng", "yan", "kang_ifnb_muscat")},
    methods={
        **{f"{n} x 100 epochs": ours(replace(_CODE, epochs=100 * n), "clear", times=n) for n in _TIMES},
        "PCA": usual("PCA"),
        "clear": usual("clear"),
    },
    score=clusters,
    seeds=1,
    quick=("1 x 100 epochs",),
    only=lambda run: run.method not in _LONG.get(run.data, ()),
    tables=(
        Table(title="ARI, k-means with the true number", value="kmeans_ari", rows="method", columns="data"),
        Table(title="ARI, Leiden at resolution 1", value="leiden_ari", rows="method", columns="data"),
        Table(title="Seconds", value="seconds", rows="method", columns="data", digits=0),
    ),
    figure=draw.lines(
        "times",
        {"ARI, k-means": "kmeans_ari", "ARI, Leiden": "leiden_ari"},
        xlabel="times 100 epochs",
        by="set",
        log=True,
    ),
)
