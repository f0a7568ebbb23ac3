"""Fig. 2D of CLEAR: more dropout."""

from __future__ import annotations

from benchmarks.dropout import __main__ as dropout
from benchmarks.papers import draw
from benchmarks.papers._experiment import Borrowed
from benchmarks.papers._shown import Table

_SETS = ("pbmc3k", "pbmc_3tech_savercat", "deng", "kang_ifnb_muscat")

EXPERIMENT = Borrowed(
    name="dropout",
    title="9. More dropout",
    paper="CLEAR, fig. 2D",
    published="10, 30, 60 and 80 % of the non-zero counts of 48 266 cells (Hrvatin) set to zero: CLEAR does best at "
    "all rates, also at 80 %.",
    here="The set is not here; the same on smaller ones, k-means with the true number. Rows of `benchmarks.dropout`.",
    key=dropout.Job._fields,
    all_jobs=tuple(
        dropout.Job(name, method, rate, seed)
        for seed in range(1)
        for name in _SETS
        for rate in dropout.RATES
        for method in dropout.SHOWN
    ),
    tiny_jobs=lambda name: [dropout.Job(name, "PCA", 0.6, 0)],
    run=lambda job: dropout.measure(job, None),
    results=dropout.RESULTS,
    choose=lambda rows: rows.assign(percent=(100 * rows["rate"]).round().astype(int)),
    tables=(
        Table(title="ARI by percent dropped", value="kmeans_ari", rows="percent"),
        Table(title="ARI at 80 %", value="kmeans_ari", rows="set", where={"percent": 80}),
    ),
    figure=draw.lines("percent", {"ARI, k-means": "kmeans_ari"}, xlabel="% of the non-zero counts dropped"),
)
