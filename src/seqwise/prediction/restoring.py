"""From what a model folder holds to the model: built as described, given its weights, checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from seqwise.errors import ConfigurationError, InputError, ModelFolderError
from seqwise.prediction.decisions import Decisions
from seqwise.prediction.device import is_processor, resolve_device
from seqwise.prediction.folder import CONFIG, WEIGHTS, FolderContent, read_folder

if TYPE_CHECKING:
    from torch import nn


class RestoredModel(Protocol):
    """What `seqwise.models` builds from a folder's descriptions."""

    @property
    def module(self) -> nn.Module:
        """The module, weights included once `restore` has returned it."""


def open_model(
    path: str | Path, device: str, estimator: str, what: str, *, packed: bool = False
) -> tuple[FolderContent, Any]:
    """Read a model folder and put its model on a device.

    Args:
        path: of the folder.
        device: "auto", "cpu", "cuda" or "cuda:N".
        estimator: that the model must be of.
        what: such a model, in words, with its article.
        packed: of a classifier on the processor: packs the weights, where the model is a usual one; see `models.packed`.

    Returns:
        What the folder holds, and what `seqwise.models` builds from it.

    Raises:
        ModelFolderError: it is not a sound model folder, or not that of such a model.
        DeviceError: there is no such device.
    """
    content = read_folder(path)
    if content.config["estimator"] != estimator:
        raise ModelFolderError(f"{content.path} holds a {content.config['estimator']}, not {what}")
    if content.graph is not None:
        from seqwise.prediction.exported import open_exported

        check_decisions(content)
        return content, open_exported(content, device)
    if packed and is_processor(device) and (model := _packed(content)) is not None:
        check_decisions(content)
        return content, model
    target = resolve_device(device)
    model = restore(content)
    model.module.to(target)
    return content, model


def _packed(content: FolderContent) -> Any:
    """The model with packed weights, without torch; None where there is anything that `restore` should look at."""
    from seqwise.models.packed import pack

    try:
        return pack(
            content.settings,
            content.vocabulary,
            content.weights,
            len(content.classes),
            lambda: restore(content).module,
        )
    except (InputError, ValueError, TypeError, KeyError, AttributeError):
        return None  # which finds the same fault, and says where


def restore(content: FolderContent) -> RestoredModel:
    """Build the model that the folder describes and give it the folder's weights, on the CPU, in evaluation mode.

    The module is first built without memory: its shapes must be those of the weights before anything is allocated, so
    that a description of absurd size costs nothing.

    Raises:
        ModelFolderError: description and weights do not belong together.
    """
    if content.graph is not None:
        raise ModelFolderError(
            f"{content.path} holds an exported model, whose network can only be run: load the folder that it was made from"
        )
    import torch

    from seqwise.models import load_model
    from seqwise.models.encoder import current_name

    weights = {name: torch.from_numpy(array) for name, array in content.weights.items()}
    check_decisions(content)
    for name, value in content.settings.get("model", {}).items():
        # Layers are made one by one: the only size that costs time before the shapes can be compared.
        if name.endswith("layers") and isinstance(value, int) and value > len(weights):
            raise ModelFolderError(f"{content.path / CONFIG} describes more layers ({name}) than there are weights")

    def build() -> RestoredModel:
        return load_model(content.config, content.vocabulary, content.labels)

    try:
        with torch.random.fork_rng(devices=[]):  # the initial weights, drawn at random, are replaced anyway
            with torch.device("meta"):
                model = build()
            expected = model.module.state_dict()
            weights = {name if name in expected else current_name(name): of for name, of in weights.items()}
            _check_fit(content, expected, weights)
            if _complete_with(model.module, weights):
                model.module.load_state_dict(weights, strict=True, assign=True)
            else:
                model = build()
                model.module.load_state_dict(weights, strict=True)
    except ModelFolderError:
        raise
    except (InputError, ValueError, TypeError, KeyError, RuntimeError, MemoryError, OverflowError) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelFolderError(f"{content.path} does not describe a model: {reason}") from None
    model.module.requires_grad_(False).eval()
    return model


def check_decisions(content: FolderContent) -> None:
    """Refuse labels whose calibration is none that is known.

    Raises:
        ModelFolderError: says so.
    """
    if not content.labels:
        return
    try:
        Decisions.from_labels(content.labels)
    except ConfigurationError as error:
        reason = f"{content.path} is calibrated in a way that this version does not know: {error}"
        raise ModelFolderError(reason) from None


def _check_fit(content: FolderContent, expected: dict[str, Any], weights: dict[str, Any]) -> None:
    where = content.path / WEIGHTS
    for name in sorted(set(expected) | set(weights)):
        if name not in weights:
            raise ModelFolderError(f"{where} lacks {name}, which the model in config.json has")
        if name not in expected:
            raise ModelFolderError(f"{where} has {name[:60]!r}, which the model in config.json does not have")
        if weights[name].shape != expected[name].shape:
            found, wanted = tuple(weights[name].shape), tuple(expected[name].shape)
            raise ModelFolderError(f"{where}: {name} has the shape {found}, the model in config.json has {wanted}")
        if weights[name].dtype != expected[name].dtype:
            raise ModelFolderError(f"{where}: {name} is {weights[name].dtype}, the model needs {expected[name].dtype}")


def _complete_with(module: nn.Module, weights: dict[str, Any]) -> bool:
    """Whether the weights are all tensors that the module has: then nothing else needs to be computed for it."""
    tensors = {name for name, _ in [*module.named_parameters(), *module.named_buffers()]}
    others = [value for part in module.modules() for value in vars(part).values() if getattr(value, "is_meta", False)]
    return tensors <= set(weights) and not others
