"""The PyTorch training engine: arrays and tensors in, arrays out; it knows nothing of AnnData.

Everything here is imported by its module path (``from scclr_ext.engine.fit import fit``), so that reading one
part never loads another.
"""
