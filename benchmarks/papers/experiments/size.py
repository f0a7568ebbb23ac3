"""Fig. 6 of CLEAR: size."""

from __future__ import annotations

from benchmarks.papers import draw
from benchmarks.papers._beside import Beside
from benchmarks.papers._experiment import Borrowed
from benchmarks.papers._shown import Table
from benchmarks.scale import __main__ as scale

EXPERIMENT = Borrowed(
    name="size",
    title="13. Size",
    paper="CLEAR, fig. 6",
    published="1.46 million cells in 3 h on one V100 GPU, 40 clusters.",
    here="Rows of `benchmarks.scale`: simulated cells with 20 000 genes, read from a file or held in memory, 2 000 "
    'genes, preset `"default"` (its training does not grow with the cells), two threads. The million: `python -m '
    "benchmarks.scale`, which needs 11 GB of disk. Nothing is clustered or annotated.",
    key=scale.Job._fields,
    all_jobs=tuple(
        scale.Job(place, "clear", n, 20_000, 2_000, 0, 2)
        for place, n in (("memory", 1_000), ("file", 1_000), ("memory", 10_000), ("file", 10_000), ("file", 100_000))
    ),
    tiny_jobs=lambda name: [scale.Job("memory", "clear", 200, 500, 0, 5, 1)],
    run=scale.measure,
    results=scale.RESULTS,
    choose=lambda rows: rows[(rows["steps"] == 0) & rows["place"].isin(["memory", "file"])].assign(
        data=rows["cells"].map("{:,}".format) + ", " + rows["place"],
        minutes=(rows["preprocess"] + rows["embed"] + rows["write"]) / 60,
    ),
    beside=(
        Beside(
            what="minutes, a million cells (published: 1.46 million, GPU)",
            paper="180",
            value="minutes",
            digits=0,
            where={"cells": 1_000_000},
        ),
    ),
    tables=(
        Table(
            title="Minutes on a shared machine, processor seconds, and memory",
            digits=1,
            values={
                "minutes": "minutes",
                "preprocess, CPU s": "preprocess_cpu",
                "embed, CPU s": "embed_cpu",
                "peak GB": "gigabytes",
            },
        ),
    ),
    figure=draw.lines(
        "cells",
        {"processor seconds to embed": "embed_cpu", "peak memory, GB": "gigabytes"},
        xlabel="cells",
        by="place",
        log=True,
    ),
)
