"""A model for other places: ONNX.

Nothing is imported here: each way out needs a package of its own, and the command says which one is missing.
"""

__all__: list[str] = []
