"""Which way through a ragged batch is fastest on this CPU? Training step (forward + backward), milliseconds.

    python benchmarks/ragged_recurrence.py [--threads 1] [--repeats 15]

Rows have log-normal lengths. `packed` is torch's pack_padded_sequence, `padded` is torch's layer on the padded batch (it
ignores the lengths, so its final states and reverse direction are wrong: a lower bound), `ours` is the layer with
`lengths=`. Ways take turns, the fastest of the repeats counts (other processes only ever add). Nothing is timed whose
outputs disagree.
"""

import argparse
import time

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqwise import layers

SHAPES = [(32, 60, 100, 128), (64, 200, 100, 128)]  # B, T, D, H


def measure(kind, bidirectional, shape, repeats):
    """Milliseconds of each way."""
    batch, steps, features, hidden = shape
    lengths = torch.distributions.LogNormal(0.0, 0.5).sample((batch,))
    lengths = (lengths / lengths.max() * steps).long().clamp(1, steps)
    theirs = getattr(torch.nn, kind)(features, hidden, bidirectional=bidirectional)
    ours = getattr(layers, kind)(features, hidden, bidirectional=bidirectional)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(steps, batch, features, requires_grad=True)
    upstream = torch.randn(steps, batch, hidden * (1 + bidirectional))

    def packed():
        return pad_packed_sequence(
            theirs(pack_padded_sequence(x, lengths, enforce_sorted=False))[0], total_length=steps
        )[0]

    ways = {"packed": packed, "padded": lambda: theirs(x)[0], "ours": lambda: ours(x, lengths=lengths)[0]}
    torch.testing.assert_close(ways["ours"](), ways["packed"](), rtol=1e-4, atol=2e-5)
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way().backward(upstream)
            best[name] = min(best[name], time.perf_counter() - start)
    return {name: 1000 * seconds for name, seconds in best.items()}, lengths.float().mean().item() / steps


def main():
    """Print the table as CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print(f"# torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {options.threads} threads")
    print("layer,bidirectional,B,T,D,H,fill,packed_ms,padded_ms,ours_ms")
    for shape in SHAPES:
        for kind in ("LSTM", "GRU", "RNN"):
            for bidirectional in (False, True):
                best, fill = measure(kind, bidirectional, shape, options.repeats)
                figures = ",".join(f"{best[way]:.1f}" for way in ("packed", "padded", "ours"))
                print(kind, bidirectional, *shape, f"{fill:.2f}", figures, sep=",", flush=True)


if __name__ == "__main__":
    main()
