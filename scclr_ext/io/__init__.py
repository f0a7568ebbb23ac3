"""A trained model, kept in a folder: weights as safetensors, everything else as JSON."""

from scclr_ext.io._error import ModelError
from scclr_ext.io._load import load
from scclr_ext.io._model import Model, Reference
from scclr_ext.io._save import save

__all__ = ["Model", "ModelError", "Reference", "load", "save"]
