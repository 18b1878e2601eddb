"""The garbage collector of a server: it does not look at the models, and still collects what requests leave behind."""

from __future__ import annotations

import gc

from seqwise.serving.registry import leave_alone

MODEL, REQUESTS = 1_000_000, 300_000  # objects


def test_models_are_left_alone_and_garbage_is_still_collected():
    model = [[number] for number in range(MODEL)]
    full = []
    try:
        leave_alone()
        assert gc.get_freeze_count() >= len(model)
        gc.callbacks.append(lambda phase, info: full.append(info["generation"]) if phase == "stop" else None)
        kept = []
        for number in range(REQUESTS):
            ring: list[object] = []
            ring.append(ring)
            if number % 5 == 0:  # a fifth of what requests make lives on, far less than the model has
                kept.append([number])
        assert full.count(2) > 0
    finally:
        gc.callbacks.pop()
        gc.unfreeze()
