"""Connectionist temporal classification as a loss.

Axis letters: B sequences, T steps, V symbols, U symbols of the longest target.
"""

from __future__ import annotations

from torch import Tensor, nn

from seqwise.ops.ctc import ctc_log_likelihood


class CTCLoss(nn.Module):
    """-log P(target | x), summed over all ways to spread the target over the steps (Graves et al. 2006).

    Not for targets that are as long as their input (a tagger's loss is simpler and stronger), nor for answers in
    another order than what they are read from (translation): the paths only go forward.

    Unlike `torch.nn.CTCLoss`, it takes logits, the batch first, and returns one value a sequence; a target that does
    not fit into its steps is an error, not an infinite loss.

    Args:
        blank: number of the symbol that stands for none.
    """

    def __init__(self, blank: int = 0) -> None:
        super().__init__()
        self.blank = blank

    def forward(
        self, logits: Tensor, targets: Tensor, lengths: Tensor | None = None, target_lengths: Tensor | None = None
    ) -> Tensor:
        """Return the loss of each sequence, (B,), in the logits' type but at least single precision.

        Args:
            logits: (B, T, V).
            targets: (B, U) int64.
            lengths: (B,); None means T.
            target_lengths: (B,); None means U.

        Raises:
            InputError: an argument has the wrong shape, type or values, or a target does not fit; names it.
        """
        logits = logits if logits.dtype.itemsize > 2 else logits.float()  # sums over many steps want the digits
        return -ctc_log_likelihood(logits, targets, lengths, target_lengths, blank=self.blank)

    def extra_repr(self) -> str:
        """Return what the loss was made with."""
        return f"blank={self.blank}"
