"""Fig. 4 of CLEAR: pseudotime of embryos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.papers import draw
from benchmarks.papers._beside import Beside
from benchmarks.papers._experiment import Experiment
from benchmarks.papers._shown import Table
from benchmarks.papers.data import real
from benchmarks.papers.methods import usual
from benchmarks.papers.scores import order

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_YAN = "0.971"
_DPT = {"DPT on scanpy's graph": "dpt_spearman", "share of cells it reaches": "dpt_reached"}


def _figure(rows: pd.DataFrame) -> Figure:
    """Draw a panel per set, and one of Deng on scanpy's own graph; a dot is a seed."""
    yan, deng = (rows["data"] != "deng", rows["data"] != "yan")
    apart = rows.assign(
        data=rows["seed"],
        yan=rows["spearman"].where(yan),
        deng=rows["spearman"].where(deng),
        dpt=rows["dpt_spearman"].where(deng),
    )
    panels = {"Yan: Spearman": "yan", "Deng: Spearman": "deng", "Deng: DPT on scanpy's graph": "dpt"}
    return draw.dots(panels, published={"Yan: Spearman": (0.971, "paper")})(apart)


EXPERIMENT = Experiment(
    name="pseudotime",
    title="11. Pseudotime",
    paper="CLEAR, fig. 4",
    published="Spearman's correlation with the stage on Yan: 0.971 (Monocle3 0.938, Slingshot 0.867). On Deng the "
    "stages come in order; Slingshot is marginally better (no figure in the text).",
    here="Every method's embedding, `tl.contrastive_pseudotime` from the zygote on; beside it DPT on scanpy's usual "
    "graph, 15 neighbours, which leaves cells out where the graph is in pieces. Cells of a stage are tied, so 0.971 "
    "is the most that can be had on Yan, 0.987 on Deng.",
    data={name: real(name, also=("stage_order",)) for name in ("yan", "deng")},
    methods={
        name: usual(name)
        for name in ("PCA", "scclr", "clear", "clear (code)", "contrastive-sc", "contrastive-sc (code)")
    },
    score=order,
    seeds=3,
    quick=("PCA",),
    beside=(
        *(
            Beside(what=f"Yan, {name}", paper=_YAN, value="spearman", where={"data": "yan", "method": name}, digits=3)
            for name in ("clear (code)", "clear", "scclr", "PCA")
        ),
    ),
    tables=(
        Table(title="Spearman's correlation with the stage", value="spearman", rows="method", columns="data", digits=3),
        Table(
            title="Deng: DPT on scanpy's graph instead", rows="method", values=_DPT, digits=3, where={"data": "deng"}
        ),
        Table(title="Yan: DPT on scanpy's graph instead", rows="method", values=_DPT, digits=3, where={"data": "yan"}),
    ),
    figure=_figure,
)
