"""The tracks of a monitor, and the ways to find them: by id, by name, by sensor. Used by `Monitor` only.

Invariant: each track stands in all of the indices or in none; it belongs to the sensor that yielded it last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trimtab.domain.metrics import Series
from trimtab.domain.ports import Sensor
from trimtab.monitor.tracks import Track
from trimtab.monitor.windows import RingWindow

_NONE: Mapping[str, Track] = {}


class TrackIndex:
    """At most `max_series` tracks; each new one gets a window from `new_window`."""

    def __init__(self, max_series: int, new_window: Callable[[], RingWindow]) -> None:
        self._max_series, self._new_window = max_series, new_window
        self.by_id: dict[str, Track] = {}
        self._by_name: dict[str, dict[str, Track]] = {}
        self._by_sensor: dict[int, dict[str, Track]] = {}
        self._unclaimed: dict[str, None] = {}  # restored, and yielded by no sensor so far
        self._series: list[Series] | None = None

    def named(self, name: str) -> Mapping[str, Track]:
        """The tracks of a name: goals and guards look for a few of many."""
        return self._by_name.get(name, _NONE)

    def of(self, sensor: Sensor) -> Mapping[str, Track]:
        """What a sensor yields."""
        return self._by_sensor.get(id(sensor), _NONE)

    def series(self) -> list[Series]:
        """Every series that a sensor yields."""
        if self._series is None:
            self._series = [track.series for track in self.by_id.values() if track.sensor is not None]
        return self._series

    def find(self, series: Series) -> Track | None:
        """The track of a series, made where there is none yet; None where there is no room for it."""
        metric_id = series.metric_id
        track = self.by_id.get(metric_id)
        if track is None and (len(self.by_id) < self._max_series or self._forget_restored()):
            track = self.by_id[metric_id] = Track(series, self._new_window())
            self._by_name.setdefault(series.name, {})[metric_id] = track
        return track

    def restored(self, track: Track) -> None:
        """The track was filled from the store: it counts only once a sensor yields it again."""
        if track.sensor is None:
            self._unclaimed[track.series.metric_id] = None

    def claim(self, track: Track, sensor: Sensor, series: Series, latest: float) -> None:
        """`sensor` has yielded `series`, whose track it is; `latest` as for `Track.claim`."""
        metric_id = series.metric_id
        if track.sensor is not sensor:
            self._unclaimed.pop(metric_id, None)
            self._leave(track)
            self._by_sensor.setdefault(id(sensor), {})[metric_id] = track
        track.claim(sensor, series, latest)
        self._series = None

    def drop(self, metric_id: str) -> None:
        """Forget a track."""
        track = self.by_id.pop(metric_id)
        del self._by_name[track.series.name][metric_id]
        if not self._by_name[track.series.name]:
            del self._by_name[track.series.name]
        self._leave(track)
        self._series = None

    def _leave(self, track: Track) -> None:
        if track.sensor is not None:
            self._by_sensor[id(track.sensor)].pop(track.series.metric_id, None)

    def _forget_restored(self) -> bool:
        """Make room: restored series that nobody yields go first."""
        if not self._unclaimed:
            return False
        metric_id, _ = self._unclaimed.popitem()
        self.drop(metric_id)
        return True
