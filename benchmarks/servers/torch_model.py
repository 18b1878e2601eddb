"""A saved classifier as most would run it: rebuilt of torch.nn modules; the same weights, text pipeline and decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqwise.models.features import TextFeatures
from seqwise.models.settings import ModelSettings
from seqwise.prediction import Decisions, read_folder
from seqwise.text import TextSettings


class TorchClassifier(nn.Module):
    """Embedding -> nn.LSTM -> last, max and mean -> linear; and the n-grams' part where the model has one.

    Args:
        path: of the model folder.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        content = read_folder(path)
        settings = content.settings["model"]
        if settings["cell"] != "lstm" or settings["pooling"] != "last+max+mean" or settings["head_layers"]:
            raise ValueError(f"{path}: not a model of the form that this file rebuilds")
        weights = {name: torch.from_numpy(array) for name, array in content.weights.items()}
        text = TextSettings.model_validate(content.settings["text"])
        self.features = TextFeatures.from_dict(content.vocabulary, text, ModelSettings.model_validate(settings))
        self.decisions, self.classes = Decisions.from_labels(content.labels), content.classes
        self.scales, self.shift = weights["scales"], weights["shift"]
        part = {name.removeprefix("parts.recurrent."): w for name, w in weights.items() if "parts.recurrent." in name}
        self.embedding = nn.Embedding.from_pretrained(part["embedding.weight"], padding_idx=0)
        self.lstm = nn.LSTM(
            settings["embedding_size"],
            settings["hidden_size"],
            settings["num_layers"],
            batch_first=True,
            bidirectional=settings["bidirectional"],
        )
        named = {name.removeprefix("recurrent.").removeprefix("layers."): w for name, w in part.items()}
        self.lstm.load_state_dict({name: named[name] for name in self.lstm.state_dict()})
        self.head = nn.Linear(*reversed(part["head.0.weight"].shape))
        self.head.load_state_dict({"weight": part["head.0.weight"], "bias": part["head.0.bias"]})
        self.linear: nn.EmbeddingBag | None = None
        if "parts.linear.bias" in weights:
            self.linear = nn.EmbeddingBag.from_pretrained(weights["parts.linear.weight.weight"], mode="sum")
            self.linear_bias = weights["parts.linear.bias"]
        self.requires_grad_(False).eval()

    def recurrent(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, C) of symbols (B, T)."""
        x = self.embedding(tokens)
        if len(tokens) == 1:  # nothing is padded: quicker
            outputs, (hidden, _) = self.lstm(x)
        else:
            packed, (hidden, _) = self.lstm(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
            outputs, _ = pad_packed_sequence(packed, batch_first=True)
        valid = (torch.arange(outputs.shape[1]) < lengths[:, None]).unsqueeze(-1)
        last = torch.cat([hidden[-2], hidden[-1]], -1) if self.lstm.bidirectional else hidden[-1]
        largest = torch.where(valid, outputs, -torch.inf).amax(1)
        mean = outputs.sum(1) / lengths[:, None]
        return self.head(torch.cat([last, largest, mean], -1))

    @torch.inference_mode()
    def answer(self, texts: list[str]) -> list[dict[str, Any]]:
        """What our server answers of each text."""
        examples = self.features.encode(texts)
        batch = examples.batch(np.arange(len(texts)))
        parts = [] if self.linear is None else [self.linear(*batch.ngrams[:2], batch.ngrams[2]) + self.linear_bias]
        parts.append(self.recurrent(batch.tokens, batch.lengths))
        logits = (torch.stack(parts, 1) * self.scales[:, None]).sum(1) + self.shift
        found = self.decisions.corrected(self.decisions.calibrated(logits.double().softmax(1).numpy()))
        chosen = self.decisions.decide(found)
        return [
            {
                "label": str(self.classes[index]),
                "probability": float(row[index]),
                "probabilities": dict(zip(map(str, self.classes), row.tolist(), strict=True)),
            }
            for row, index in zip(found, chosen, strict=True)
        ]
