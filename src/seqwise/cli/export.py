"""`seqwise export`: a trained model for places where there is no PyTorch."""

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
        bool, typer.Option("--int8", help="Also store weights as 8-bit integers: a smaller, less exact model.")
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", help="Labelled data on which the exported model is compared with this one.", metavar="DATA"
        ),
    ] = None,
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
    """
    if onnx is None:
        raise ConfigurationError("say what to export to: --onnx F")
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
