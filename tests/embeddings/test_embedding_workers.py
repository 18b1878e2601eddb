"""Threads that have ended when it is said so, Ctrl-C or not."""

import _thread
import threading
import time

import pytest

from seqwise.embeddings.workers import Workers, run_workers


def test_all_numbers_work_and_the_end_is_seen():
    seen = []
    workers = Workers(seen.append, 3)
    workers.start()
    assert workers.wait(60)
    workers.close()
    assert sorted(seen) == [0, 1, 2]


def test_after_ctrl_c_no_thread_runs_any_more():
    ended, ready = [], threading.Event()

    def work(_, stop):
        ready.set()
        stop.wait(60)
        time.sleep(0.3)  # what a thread does before it looks again
        ended.append(True)

    def interrupt():
        ready.wait(60)
        time.sleep(0.05)
        _thread.interrupt_main()

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        run_workers(work, 2)
    assert ended == [True, True]


def test_threads_that_have_not_begun_never_do():
    seen = []
    workers = Workers(seen.append, 2)
    workers.close()
    workers.start()
    assert not workers.wait(0.05)
    assert seen == []


def test_what_a_thread_raises_is_raised_and_the_others_stop():
    def work(number, stop):
        if number == 1:
            raise ValueError("here")
        assert stop.wait(60)

    with pytest.raises(ValueError, match="here"):
        run_workers(work, 3)
