"""A numeric model that takes requests in batches. Its weights lie in half precision, to save memory, and are unpacked for each
call: a call costs nearly the same for one request as for sixteen, which is why batching pays.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future

import numpy as np
from numpy.typing import NDArray

from trimtab.demo.parts.pool import QueueFull

WIDTH = 1024  # features in, and of each layer
LAYERS = (2, 48)  # fewest and most
CALL_SECONDS = 0.020  # of one call at batch size 1: the model gets as many layers as this machine does in that time
LINGER_SECONDS = 0.020  # that a batch with room waits for more
QUEUE_LIMIT = 48  # full within a second or two, so that an overload soon has a level; half a second of hiccup refuses nobody

Floats = NDArray[np.float32]  # (n, WIDTH)


class Model:
    """`tanh` layers. NumPy releases the interpreter while it unpacks and multiplies."""

    def __init__(self, layers: int | None = None) -> None:
        rng = np.random.default_rng(5)
        self._unpacked = np.empty((WIDTH, WIDTH), dtype=np.float32)
        self._weights = [self._layer(rng) for _ in range(LAYERS[0])]
        wanted = layers or round(LAYERS[0] * CALL_SECONDS / self._fastest())
        while len(self._weights) < min(wanted, LAYERS[1]):
            self._weights.append(self._layer(rng))

    def score(self, x: Floats) -> NDArray[np.float32]:
        """One score for each row of `x` (n, WIDTH)."""
        for weights in self._weights:
            np.copyto(self._unpacked, weights)
            x = np.tanh(x @ self._unpacked)
        return np.asarray(x.mean(axis=1), dtype=np.float32)

    @staticmethod
    def _layer(rng: np.random.Generator) -> NDArray[np.float16]:
        weights = rng.standard_normal((WIDTH, WIDTH), dtype=np.float32) / WIDTH**0.5
        return np.asarray(weights, dtype=np.float16)

    def _fastest(self, tries: int = 8) -> float:
        """Seconds of a call, the least of several: what else runs on the machine must not make the model smaller."""
        x, best = np.zeros((1, WIDTH), dtype=np.float32), float("inf")
        for _ in range(tries):
            began = time.perf_counter()
            self.score(x)
            best = min(best, time.perf_counter() - began)
        return best


def _features(seed: int) -> Floats:
    """What a request asks to be scored: (WIDTH,)."""
    return np.resize(np.array([seed % 7, seed % 11, 1.0], dtype=np.float32), WIDTH)


class Scoring:
    """One thread that feeds the model with up to `batch_size` waiting requests at a time."""

    def __init__(self, model: Model | None = None, batch_size: int = 1) -> None:
        self.batch_size = batch_size
        self._model = model or Model()
        self._waiting: deque[tuple[int, Future[object]]] = deque()
        self._changed = threading.Condition()
        self._open = True
        self._thread = threading.Thread(target=self._work, name="scoring", daemon=True)
        self._thread.start()

    def score(self, seed: int) -> Future[object]:
        """The score of a request, once its batch is through. Raises `QueueFull`."""
        future: Future[object] = Future()
        with self._changed:
            if len(self._waiting) >= QUEUE_LIMIT:
                raise QueueFull(f"{QUEUE_LIMIT} requests are waiting already")
            self._waiting.append((seed, future))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Let the thread go; what waits is cancelled."""
        with self._changed:
            self._open = False
            self._changed.notify()
            while self._waiting:
                self._waiting.popleft()[1].cancel()
        self._thread.join(timeout=1.0)

    def _work(self) -> None:
        while batch := self._take():
            live = [(seed, future) for seed, future in batch if future.set_running_or_notify_cancel()]
            if not live:
                continue
            x = np.array([_features(seed) for seed, _ in live])
            for (_, future), score in zip(live, self._model.score(x), strict=True):
                future.set_result(float(score))

    def _take(self) -> list[tuple[int, Future[object]]]:
        """The next batch: what waits, and what comes within a moment while there is room. Empty: this is the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._open)
            size = self.batch_size
            if size > 1:
                self._changed.wait_for(lambda: len(self._waiting) >= size or not self._open, timeout=LINGER_SECONDS)
            return [self._waiting.popleft() for _ in range(min(size, len(self._waiting)))]
