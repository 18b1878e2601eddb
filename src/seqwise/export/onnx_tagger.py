"""Taggers of words and of frames as ONNX.

Axis letters: B sequences, T steps, U different word forms, L characters of the longest, D numbers of a frame, C tags.
"""

from __future__ import annotations

import numpy as np

from seqwise.errors import ConfigurationError
from seqwise.export.onnx_graph import FLOAT, INT64, Graph
from seqwise.export.onnx_parts import add_embedding, add_encoder, array_of, input_size
from seqwise.export.onnx_recurrent import add_recurrent, find_steps
from seqwise.layers import CRF
from seqwise.models.tagger import FrameTagger, TaggerNetwork, WordTagger
from seqwise.models.tagger_features import CASINGS


def tagger_graph(module: TaggerNetwork, opset: int) -> Graph:
    """The whole of a tagger.

    Inputs of words, as far as the model reads them: `words` (B, T) int64, `lengths` (B,) int64, `forms` (B, T) int64 (which
    of the U forms), `characters` (U, L) int64, `character_lengths` (U,) int64, `casings` (U,) int64; of frames `frames`
    (B, T, D) float and `lengths`. Outputs: `scores` (B, T, C) float; and of a conditional random field `following` (C, C),
    `first` (C,) and `last` (C,), which are the same at every call.

    Raises:
        ConfigurationError: the model has a part that ONNX is not known for.
    """
    graph = Graph("seqwise_tagger", opset)
    if isinstance(module, FrameTagger):
        frames = graph.input("frames", FLOAT, ("batch", "time", input_size(module.recurrent)))
        x = graph.transpose(frames, 1, 0, 2)
    elif isinstance(module, WordTagger):
        x = _add_words(graph, module)
    else:
        raise ConfigurationError(f"a tagger {type(module).__name__} cannot be exported to ONNX")
    steps = find_steps(graph, graph.input("lengths", INT64, ("batch",)), x, 0)
    outputs, _ = add_encoder(graph, module.recurrent, x, steps)
    scores = graph.linear(outputs, array_of(module.head.weight), array_of(module.head.bias), "head")
    count = module.head.out_features
    graph.output(graph.transpose(scores, 1, 0, 2), "scores", FLOAT, ("batch", "time", count))
    if module.crf is not None:
        _add_field(graph, module.crf, count)
    return graph


def _add_field(graph: Graph, crf: CRF, count: int) -> None:
    """The scores of tags next to each other, as outputs: a search over tags is not ONNX's."""
    for name, shape in {"following": (count, count), "first": (count,), "last": (count,)}.items():
        scores = array_of(getattr(crf, name)) + array_of(getattr(crf, f"forbidden_{name}"))
        graph.output(graph.constant(scores, f"crf.{name}"), name, FLOAT, shape)


def _add_words(graph: Graph, module: WordTagger) -> str:
    """The vectors of the words beside what is read off their forms, (T, B, .)."""
    words = graph.transpose(graph.input("words", INT64, ("batch", "time")), 1, 0)
    parts = [add_embedding(graph, module.embedding, words)]
    of_forms = []
    spelled = module.speller is not None or module.settings.casing
    forms = graph.input("forms", INT64, ("batch", "time")) if spelled else ""
    if module.speller is not None and module.character_embedding is not None:
        characters = graph.transpose(graph.input("characters", INT64, ("forms", "letters")), 1, 0)
        x = add_embedding(graph, module.character_embedding, characters, "characters")
        steps = find_steps(graph, graph.input("character_lengths", INT64, ("forms",)), x, 0)
        _, finals = add_recurrent(graph, module.speller, x, steps)
        of_forms += [of_direction[0] for of_direction in finals]
    if module.settings.casing:
        casings = graph.input("casings", INT64, ("forms",))
        values = graph.constant(np.array([0, 1], np.float32))
        of_forms.append(graph.add("OneHot", casings, graph.integers(CASINGS), values, axis=-1))
    if of_forms:
        joined = of_forms[0] if len(of_forms) == 1 else graph.add("Concat", *of_forms, axis=-1)
        parts.append(graph.add("Gather", joined, graph.transpose(forms, 1, 0), axis=0))
    return parts[0] if len(parts) == 1 else str(graph.add("Concat", *parts, axis=-1))
