"""`seqwise export`: a trained model for other places: ONNX without PyTorch, or PyTorch without Seqwise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqwise.cli.console import print_json, say
from seqwise.cli.options import Json, ModelFolder
from seqwise.errors import ConfigurationError


def export(
    folder: ModelFolder,
    onnx: Annotated[
        Path | None,
        typer.Option(
            "--onnx",
            help="Write the model as ONNX: one file if the name ends in .onnx, otherwise a folder that seqwise "
            "predict and seqwise serve run without PyTorch.",
            metavar="F",
        ),
    ] = None,
    opset: Annotated[
        int | None, typer.Option("--opset", help="Of ONNX's operators; 17 if not given.", metavar="N")
    ] = None,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8", help="With --onnx: store weights as 8-bit integers, a quarter of the size and less exact."
        ),
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", help="Labelled data on which the exported model is compared with this one.", metavar="DATA"
        ),
    ] = None,
    torch_export: Annotated[
        Path | None,
        typer.Option(
            "--torch-export",
            help="Write the network as a .pt2 file for PyTorch, which then needs no Seqwise.",
            metavar="F",
        ),
    ] = None,
    aot: Annotated[
        bool,
        typer.Option(
            "--aot",
            help="With --torch-export: compile the network for this kind of processor (AOTInductor); needs a C++ compiler.",
        ),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    json: Json = False,
) -> None:
    """Export a trained model.

    The exported folder carries text pipeline, labels, thresholds and calibration; a single .onnx file carries the network
    for other runtimes, with the labels and symbols in its metadata.

    \b
    Examples:
      seqwise export my-model --onnx my-model-onnx
      seqwise predict my-model-onnx "what a film"
      seqwise export my-model --onnx my-model.onnx --opset 19
      seqwise export my-model --onnx small --int8 --data test.csv
      seqwise export my-model --torch-export my-model.pt2
      seqwise export my-model --torch-export compiled.pt2 --aot
    """
    if (onnx is None) == (torch_export is None):
        raise ConfigurationError("say what to export to: --onnx F or --torch-export F")
    if torch_export is not None:
        if opset is not None or int8 or data is not None:
            raise ConfigurationError("--opset, --int8 and --data are for --onnx")
        _export_torch(folder, torch_export, aot=aot, overwrite=overwrite, json=json)
        return
    assert onnx is not None
    if aot:
        raise ConfigurationError("--aot is for --torch-export")
    _export_onnx(folder, onnx, opset=opset, int8=int8, data=data, overwrite=overwrite, json=json)


def _export_onnx(
    folder: Path, target: Path, *, opset: int | None, int8: bool, data: str | None, overwrite: bool, json: bool
) -> None:
    from seqwise.export.onnx_export import OPSET, export_onnx

    outcome = export_onnx(
        folder, target, opset=OPSET if opset is None else opset, int8=int8, data=data, overwrite=overwrite, say=say
    )
    if json:
        print_json(outcome.to_dict())
    else:
        print("\n".join(outcome.lines()))


def _export_torch(folder: Path, target: Path, *, aot: bool, overwrite: bool, json: bool) -> None:
    from seqwise.export.torch_export import export_torch

    outcome = export_torch(folder, target, aot=aot, overwrite=overwrite)
    if json:
        print_json(outcome.to_dict())
    else:
        print("\n".join(outcome.lines()))
