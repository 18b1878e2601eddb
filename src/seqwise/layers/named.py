"""The usual recurrent layers by name. `RNN`, `LSTM` and `GRU` take the place of torch.nn's."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

from seqwise import cells
from seqwise.cells import Cell
from seqwise.errors import ConfigurationError
from seqwise.layers.recurrent import Recurrent


class _Named(Recurrent):
    """A layer with a cell of its own: the arguments of `Recurrent` after `cell`."""

    equation: ClassVar[Cell]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(self.equation, *arguments, **options)


class RNN(Recurrent):
    """The simple recurrent network; takes the place of `torch.nn.RNN`, whose fourth argument is the nonlinearity too.

    Args:
        input_size: As in `Recurrent`.
        hidden_size: As in `Recurrent`.
        num_layers: As in `Recurrent`.
        nonlinearity: "tanh" or "relu".
        *arguments: The arguments of `Recurrent` after `num_layers`, in its order.
        **options: The same by name.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        *arguments: Any,
        **options: Any,
    ) -> None:
        choices = {"tanh": cells.rnn, "relu": cells.rnn_relu}
        if nonlinearity not in choices:
            raise ConfigurationError(f"nonlinearity={nonlinearity!r}: expected one of {', '.join(choices)}.")
        super().__init__(choices[nonlinearity], input_size, hidden_size, num_layers, *arguments, **options)
        self.nonlinearity = nonlinearity


class IRNN(_Named):
    """Rectified linear units whose recurrent weights start at the identity and biases at zero (Le et al. 2015).

    Input weights are drawn as everywhere else; the paper's are smaller (normal, standard deviation 0.001).
    Arguments: those of `Recurrent` after `cell`. State dicts fit `torch.nn.RNN(nonlinearity="relu")`.
    """

    equation = cells.rnn_relu

    def reset_parameters(self) -> None:
        """Identity, zero biases, input weights from U(-1/sqrt(H), 1/sqrt(H))."""
        super().reset_parameters()
        for name, parameter in self.named_parameters():
            if name.startswith("weight_hh"):
                nn.init.eye_(parameter)
            elif name.startswith("bias"):
                nn.init.zeros_(parameter)


class SimplifiedGRU(_Named):
    """The GRU with an update gate only. Arguments: those of `Recurrent` after `cell`."""

    equation = cells.gru_simplified


class GRU(Recurrent):
    """The gated recurrent unit; takes the place of `torch.nn.GRU`.

    Args:
        *arguments: The arguments of `Recurrent` after `cell`, in its order.
        reset_after: True: the reset gate acts after the recurrent product, as in torch.nn and cuDNN. False: before it,
            as in Cho et al. 2014 and in lectures; the parameters have the same names and shapes, but torch.nn's state
            dict is refused, because it means something else.
        **options: The arguments of `Recurrent` by name.
    """

    def __init__(self, *arguments: Any, reset_after: bool = True, **options: Any) -> None:
        super().__init__(cells.gru_reset_after if reset_after else cells.gru, *arguments, **options)
        self.reset_after = reset_after


class LSTM(_Named):
    """Long short-term memory; takes the place of `torch.nn.LSTM`. Arguments: those of `Recurrent` after `cell`."""

    equation = cells.lstm


class MinGRU(_Named):
    """The minimal GRU of Feng et al. 2024, whose gates see only the input. Arguments: those of `Recurrent` after `cell`."""

    equation = cells.min_gru
