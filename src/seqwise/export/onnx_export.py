"""What `seqwise export --onnx` calls: a model folder as one .onnx file, or as a folder that runs without PyTorch."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

from seqwise._version import __version__
from seqwise.errors import ConfigurationError, FileError, MissingExtraError
from seqwise.prediction import is_exported, read_folder, restore, write_folder
from seqwise.prediction.exported import QUIET
from seqwise.prediction.folder import FolderContent
from seqwise.prediction.plain_files import write_files

Say = Callable[[str], None]
OPSET = 17
"""The first with all operators that are needed: the more runtimes know it the better."""
HIGHEST = 24
"""The last one that has been tested."""
NEEDED = ("numpy", "onnxruntime", "platformdirs", "pydantic", "regex", "safetensors", "typer")
"""Packages with which `seqwise predict` runs an exported folder."""
FURTHER = {"stop_words": "stopwordsiso", "lemmas": "simplemma", "stems": "snowballstemmer"}
"""Settings of texts and the packages that they need."""
COPIED = ("README.md", "metrics.json")


@dataclass(frozen=True)
class ExportOutcome:
    """What has been written.

    Attributes:
        target: file or folder.
        task: of the model.
        opset: version of the operators.
        int8: whether weights are 8-bit integers.
        bytes_onnx: of the network.
        bytes_before: of the weights that it was made from.
        largest_difference: of an output from PyTorch's, on random inputs; None where onnxruntime is not installed.
        figures: on the given data, by name: of the model, and of the exported one.
    """

    target: str
    task: str
    opset: int
    int8: bool
    bytes_onnx: int
    bytes_before: int
    largest_difference: float | None
    figures: dict[str, tuple[float, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The same for a person."""
        kind = "int8 " if self.int8 else ""
        sizes = f"{self.bytes_onnx:,} bytes (weights before: {self.bytes_before:,})"
        said = [f"{self.target}: {kind}ONNX, opset {self.opset}, {sizes}"]
        if self.largest_difference is None:
            said.append("Not compared with PyTorch: onnxruntime is not installed.")
        else:
            said.append(
                f"Largest difference of an output from PyTorch's on random inputs: {self.largest_difference:.2g}"
            )
        for name, (before, after) in self.figures.items():
            said.append(f"{name}: {before:.4f} before, {after:.4f} exported ({after - before:+.4f})")
        if not self.target.endswith(".onnx"):
            command = "score" if self.task == "lm" else "predict"
            said.append(f'Try it:  seqwise {command} {self.target} "a text of yours"')
        return said


def export_onnx(
    folder: str | Path,
    target: str | Path,
    *,
    opset: int = OPSET,
    int8: bool = False,
    data: str | None = None,
    overwrite: bool = False,
    say: Say = lambda message: None,
) -> ExportOutcome:
    """Export a trained model.

    Args:
        folder: of the model.
        target: an .onnx file, or a folder.
        opset: version of ONNX's operators.
        int8: store weights as 8-bit integers where onnxruntime has operators for them.
        data: labelled data on which the model before and after is compared.
        overwrite: replace such a file or exported folder.
        say: told what a person should know.

    Raises:
        MissingExtraError: onnx is not installed; or onnxruntime, where int8 or data need it.
        ModelFolderError: there is no sound model folder.
        ConfigurationError: the opset is not between `OPSET` and `HIGHEST`, or such a model cannot be exported.
        FileError: there is something already, or it cannot be written.
    """
    if not OPSET <= opset <= HIGHEST:
        raise ConfigurationError(f"--opset is from {OPSET} to {HIGHEST}, not {opset}")
    folder, target = Path(folder), Path(target)
    runtime = _check_packages(needed=int8 or data is not None)
    _check_target(folder, target, overwrite=overwrite)
    content = read_folder(folder)
    if content.graph is not None:
        raise ConfigurationError(f"{folder} holds an exported model already: export the folder that it was made from")
    saved = restore(content)

    from seqwise.export.onnx_model import build_model
    from seqwise.export.onnx_trial import largest_difference

    graph = build_model(content, saved, opset).SerializeToString()
    if int8:
        from seqwise.export.onnx_integers import quantised

        graph = quantised(graph)
    difference = largest_difference(content.config["estimator"], saved, graph) if runtime else None
    if not runtime:
        say("Note: onnxruntime is not installed, so the exported model was not tried: pip install 'seqwise[onnx]'")
    figures = {}
    if data is not None:
        from seqwise.export.onnx_comparison import compare_figures

        with tempfile.TemporaryDirectory() as place:
            _write_folder(Path(place) / "exported", content, graph, opset, int8=int8)
            figures = compare_figures(folder, Path(place) / "exported", data, say)
    if target.suffix == ".onnx":
        write_files(target.parent, {target.name: graph})
    else:
        _write_folder(target, content, graph, opset, int8=int8)
    before = sum(array.nbytes for array in content.weights.values())
    return ExportOutcome(str(target), content.config["task"], opset, int8, len(graph), before, difference, figures)


def requirements_of(content: FolderContent) -> str:
    """The requirements file of an exported folder: what has to be installed beside seqwise to run it."""
    text = content.settings.get("text", {})
    fields = [name for name, package in FURTHER.items() if text.get(name)]
    subwords = ["tokenizers"] if content.config["unit"] == "subwords" else []
    try:
        known = requires("seqwise") or []
    except PackageNotFoundError:  # run from its sources
        known = []
    said = {re.split(r"[\s<>=!~;\[]", line, maxsplit=1)[0]: line.split(";")[0].strip() for line in known}
    names = [*NEEDED, *(FURTHER[name] for name in fields), *subwords]
    lines = [
        "# All that seqwise needs to run this model; seqwise itself goes beside it without what training needs:",
        "#   pip install -r requirements.txt",
        f"#   pip install --no-deps seqwise=={__version__}",
        *(said.get(name, name) for name in names),
    ]
    return "\n".join(lines) + "\n"


def _write_folder(target: Path, content: FolderContent, graph: bytes, opset: int, *, int8: bool) -> None:
    dropped = {"format_version", "seqwise_version", "files", "sha256"}
    config = {key: value for key, value in content.config.items() if key not in dropped}
    pieces: dict[str, str | bytes] = {"requirements.txt": requirements_of(content)}
    for name in COPIED:
        if (content.path / name).is_file():
            pieces[name] = (content.path / name).read_bytes()
    new = not target.exists()
    try:
        write_folder(
            target,
            config={**config, "onnx": {"opset": opset, "int8": int8}},
            graph=graph,
            vocabulary=content.vocabulary,
            labels=content.labels or None,
            pieces=pieces,
        )
    finally:
        if new and target.is_dir() and not any(target.iterdir()):  # nothing could be written
            target.rmdir()


def _check_packages(*, needed: bool) -> bool:
    """Whether onnxruntime is installed.

    Raises:
        MissingExtraError: onnx is not, or onnxruntime is not and is needed.
    """
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise MissingExtraError("the export needs onnx: pip install 'seqwise[onnx]'") from None
    os.environ.setdefault(*QUIET)
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        if needed:
            raise MissingExtraError("--int8 and --data need onnxruntime: pip install 'seqwise[onnx]'") from None
        return False
    return True


def _check_target(folder: Path, target: Path, *, overwrite: bool) -> None:
    if not target.absolute().parent.is_dir():
        raise FileError(f"there is no folder {target.absolute().parent} to write {target.name} to")
    if target.suffix == ".onnx":
        if target.is_dir():
            raise FileError(f"{target} is a folder: the name of an exported folder does not end in .onnx")
        if target.exists() and not overwrite:
            raise FileError(f"{target} exists; --overwrite replaces it")
        return
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not target.is_dir():
        raise FileError(f"{target} is a file: the name of a single exported file ends in .onnx")
    if not (target / "config.json").exists() or not is_exported(target):
        what = "the model itself" if target.resolve() == folder.resolve() else "something other than an exported model"
        raise FileError(f"{target} holds {what}, which an export does not replace: name another folder")
    if not overwrite:
        raise FileError(f"{target} exists; --overwrite replaces it")
