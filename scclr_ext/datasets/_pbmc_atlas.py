"""Blood cells as textbooks and Wilk et al. (2020) describe them: types, markers, and what COVID-19 changes."""

from __future__ import annotations

from typing import NamedTuple

CONDITIONS = ("healthy", "moderate", "severe")
CD14 = "CD14+ monocyte"


class CellType(NamedTuple):
    """A type of cell.

    `shares` are those of all cells in each condition, `size` is the library size beside that of the average cell, and
    `markers` maps genes to their level, in units of the average gene.
    """

    lineage: str
    shares: tuple[float, float, float]
    size: float
    markers: dict[str, float]


class Program(NamedTuple):
    """Genes that change together with the condition.

    `level` is where the genes stand in healthy cells, with exceptions in `levels`; `log2fc` gives, for each type of
    cell that changes, by how much in moderate and in severe disease. ``"*"`` stands for all other types.
    """

    genes: tuple[str, ...]
    level: dict[str, float]
    log2fc: dict[str, tuple[float, float]]
    levels: dict[str, float] = {}


_T = {"CD3D": 7.0, "CD3E": 6.0, "CD3G": 4.0, "TRAC": 8.0, "CD2": 3.0, "LCK": 3.0}
_MONOCYTE = {
    "LYZ": 25.0,
    "FCN1": 8.0,
    "CST3": 14.0,
    "AIF1": 7.0,
    "TYROBP": 9.0,
    "CTSS": 10.0,
    "LST1": 6.0,
    "CSF1R": 3.0,
}
_CYTOTOXIC = {"NKG7": 12.0, "CST7": 7.0, "GZMA": 6.0, "PRF1": 5.0, "CTSW": 4.0, "CCL5": 10.0}

CELL_TYPES = {
    CD14: CellType(
        "myeloid",
        (0.185, 0.274, 0.261),
        1.3,
        _MONOCYTE | {"CD14": 6.0, "VCAN": 7.0, "CSF3R": 3.0, "MS4A6A": 4.0, "CD36": 4.0},
    ),
    "CD16+ monocyte": CellType(
        "myeloid",
        (0.045, 0.010, 0.006),
        1.3,
        _MONOCYTE | {"FCGR3A": 8.0, "MS4A7": 6.0, "CDKN1C": 5.0, "LILRB2": 4.0, "CX3CR1": 5.0, "LYZ": 8.0, "FCN1": 5.0},
    ),
    "dendritic cell": CellType(
        "myeloid",
        (0.022, 0.012, 0.008),
        1.5,
        {"FCER1A": 9.0, "CD1C": 7.0, "CLEC10A": 7.0, "CST3": 14.0, "LYZ": 12.0, "AIF1": 6.0, "FLT3": 3.0, "ENHO": 2.5},
    ),
    "plasmacytoid dendritic cell": CellType(
        "pdc",
        (0.018, 0.005, 0.002),
        1.5,
        {
            "LILRA4": 8.0,
            "CLEC4C": 5.0,
            "IL3RA": 6.0,
            "GZMB": 9.0,
            "PLD4": 6.0,
            "IRF8": 8.0,
            "TCF4": 6.0,
            "SERPINF1": 5.0,
        },
    ),
    "CD4+ T cell": CellType(
        "lymphoid", (0.300, 0.270, 0.240), 0.9, _T | {"IL7R": 8.0, "CD4": 3.0, "MAL": 3.0, "LDHB": 6.0, "CCR7": 3.0}
    ),
    "CD8+ T cell": CellType(
        "lymphoid",
        (0.160, 0.140, 0.130),
        0.9,
        _T | {"CD8A": 6.0, "CD8B": 5.0, "GZMK": 4.0, "CCL5": 9.0, "NKG7": 6.0, "GZMA": 4.0, "CST7": 4.0},
    ),
    "NK cell": CellType(
        "lymphoid",
        (0.120, 0.060, 0.045),
        0.9,
        _CYTOTOXIC
        | {"GNLY": 14.0, "KLRD1": 5.0, "KLRF1": 4.0, "SPON2": 5.0, "FCGR3A": 4.0, "GZMB": 6.0, "FGFBP2": 6.0},
    ),
    "B cell": CellType(
        "b",
        (0.100, 0.110, 0.110),
        0.9,
        {"CD79A": 9.0, "CD79B": 7.0, "MS4A1": 8.0, "CD19": 3.0, "TCL1A": 5.0, "BANK1": 4.0, "IGHM": 8.0, "IGHD": 5.0},
    ),
    "plasmablast": CellType(
        "b",
        (0.005, 0.030, 0.075),
        2.0,
        {"JCHAIN": 30.0, "MZB1": 14.0, "XBP1": 9.0, "DERL3": 8.0, "TNFRSF17": 5.0, "CD38": 5.0, "CD79A": 7.0}
        | {"IGHG1": 35.0, "IGHA1": 20.0, "IGKC": 45.0, "SDC1": 2.0},
    ),
    "neutrophil": CellType(
        "granulocyte",
        (0.003, 0.015, 0.045),
        0.7,
        {"LTF": 10.0, "CAMP": 9.0, "LCN2": 9.0, "DEFA3": 8.0, "MMP8": 6.0, "CEACAM8": 5.0, "MMP9": 4.0, "FCGR3B": 5.0},
    ),
    "stem cell": CellType(
        "stem",
        (0.004, 0.006, 0.008),
        1.2,
        {"CD34": 7.0, "SPINK2": 7.0, "SOX4": 7.0, "PRSS57": 5.0, "CYTL1": 5.0, "GATA2": 4.0, "CDK6": 5.0},
    ),
    "platelet": CellType(
        "platelet",
        (0.025, 0.040, 0.045),
        0.5,
        {"PPBP": 30.0, "PF4": 25.0, "GNG11": 9.0, "TUBB1": 9.0, "SDPR": 8.0, "GP9": 7.0, "NRGN": 7.0, "CLU": 7.0},
    ),
    "red blood cell": CellType(
        "erythroid",
        (0.013, 0.028, 0.025),
        0.5,
        {"HBB": 220.0, "HBA1": 120.0, "HBA2": 150.0, "ALAS2": 12.0, "AHSP": 8.0, "CA1": 6.0, "SLC4A1": 5.0},
    ),
}

PROGRAMS = {
    "isg": Program(
        (
            *("ISG15", "IFI6", "IFI27", "IFI44", "IFI44L", "IFIT1", "IFIT2", "IFIT3", "MX1", "MX2", "OAS1", "OAS2"),
            *("OAS3", "OASL", "XAF1", "STAT1", "IRF7", "IFITM1", "IFITM3", "LY6E", "RSAD2", "SIGLEC1", "EPSTI1"),
            *("PLSCR1", "SAMD9L", "HERC5", "DDX58", "IFIH1", "ISG20", "CMPK2"),
        ),
        {"*": 0.35},
        {
            CD14: (2.5, 1.0),
            "CD16+ monocyte": (2.5, 1.0),
            "dendritic cell": (2.0, 0.8),
            "*": (1.3, 0.5),
        },
        {"ISG15": 1.5, "IFITM1": 1.5, "IFITM3": 1.5, "LY6E": 1.0, "STAT1": 1.0},
    ),
    "mhc2": Program(
        (
            *("HLA-DRA", "HLA-DRB1", "HLA-DRB5", "HLA-DPA1", "HLA-DPB1", "HLA-DQA1", "HLA-DQB1", "HLA-DMA", "HLA-DMB"),
            *("CD74", "CIITA"),
        ),
        {
            CD14: 6.0,
            "CD16+ monocyte": 7.0,
            "dendritic cell": 22.0,
            "plasmacytoid dendritic cell": 9.0,
            "B cell": 9.0,
            "plasmablast": 2.0,
            "stem cell": 4.0,
            "*": 0.25,
        },
        {CD14: (-0.9, -1.8), "CD16+ monocyte": (-0.8, -1.5), "dendritic cell": (-0.4, -0.8), "B cell": (-0.2, -0.4)},
        {"HLA-DRA": 2.0, "CD74": 3.0, "HLA-DMB": 0.3, "HLA-DMA": 0.4, "CIITA": 0.1},
    ),
    "mhc1": Program(
        ("HLA-A", "HLA-B", "HLA-C", "HLA-E", "HLA-F", "B2M"),
        {"platelet": 2.0, "red blood cell": 2.0, "*": 10.0},
        {CD14: (-0.3, -0.7), "CD16+ monocyte": (-0.3, -0.6)},
        {"B2M": 4.0, "HLA-E": 0.5, "HLA-F": 0.2},
    ),
    "alarmin": Program(
        ("S100A8", "S100A9", "S100A12"),
        {CD14: 22.0, "CD16+ monocyte": 3.0, "dendritic cell": 2.0, "neutrophil": 30.0, "*": 0.25},
        {CD14: (0.2, 1.4), "CD16+ monocyte": (0.1, 0.6)},
        {"S100A12": 0.4},
    ),
    "activation": Program(
        (
            *(
                "CLU",
                "CD163",
                "RETN",
                "PLAC8",
                "ANXA1",
                "ALOX5AP",
                "SELL",
                "CD63",
                "GRN",
                "LGALS3",
                "SERPINB1",
                "PLBD1",
            ),
            *("CYBB", "FPR1", "IL1R2", "ADM", "HP", "RNASE2"),
        ),
        {CD14: 1.6, "CD16+ monocyte": 1.0, "neutrophil": 1.6, "*": 0.15},
        {CD14: (0.2, 1.1)},
    ),
    "cytokine": Program(("IL1B", "IL2", "IL6", "IL10", "TNF"), {CD14: 0.25, "CD16+ monocyte": 0.25, "*": 0.05}, {}),
}

# Not by condition: who has how much of what every cell has.
RIBOSOMAL = (
    *(f"RPL{i}" for i in (3, 4, 5, 6, 7, 8, 9, 11, 13, 14, 15, 18, 19, 21, 23, 24, 26, 27, 29, 30, 31, 32, 34, 35)),
    *(f"RPS{i}" for i in (2, 3, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 23, 24, 25, 27, 28, 29)),
)
MITOCHONDRIAL = (
    *("MT-CO1", "MT-CO2", "MT-CO3", "MT-ND1", "MT-ND2", "MT-ND3", "MT-ND4", "MT-ND4L", "MT-ND5", "MT-ND6"),
    *("MT-ATP6", "MT-ATP8", "MT-CYB"),
)
RIBOSOMAL_LEVEL = {"lymphoid": 16.0, "b": 16.0, "stem": 20.0, "platelet": 2.0, "erythroid": 2.0, "*": 9.0}
MITOCHONDRIAL_LEVEL = 12.0
OFF = 0.06
"""Level of a marker in cells that do not have it: what floats about in every droplet."""
