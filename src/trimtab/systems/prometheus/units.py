"""What a derived series has to be multiplied with, so that it is in the unit that its name carries.

Asked by `derive` for each value, and by the options, which refuse a name that promises what its source cannot give. Pure. Units
are read off names (`domain.metrics`): a source without one is taken at the derived name's word.
"""

from __future__ import annotations

from functools import lru_cache

from trimtab.domain.errors import UnitMismatch
from trimtab.domain.metrics import Unit, infer_unit

_PLAIN = (Unit.NONE, Unit.COUNT)
_TIMES = (Unit.SECONDS, Unit.MILLISECONDS)
_FRACTIONS = (Unit.RATIO, Unit.PERCENT)
_PER_SECOND = "_per_second"
_CACHED = 4096  # names; a configuration has some dozens


def unit_of_counter(name: str) -> Unit:
    """What a counter counts in. The count and the buckets of a histogram are plain counts, whatever it is a histogram of.

    >>> [unit_of_counter(name).value for name in ("sent_bytes_total", "pay_seconds_sum", "pay_seconds_count", "hits_total")]
    ['bytes', 'seconds', 'count', '']
    """
    if name.endswith(("_count", "_bucket")):
        return Unit.COUNT
    return infer_unit(name.removesuffix("_total").removesuffix("_sum"))


@lru_cache(_CACHED)
def factor_of_quantile(name: str, of: str) -> float:
    """From the histogram's unit into that of the name. Raises `UnitMismatch`.

    >>> factor_of_quantile("shop_p95_ms", "http_request_duration_seconds")
    1000.0
    """
    held, named = infer_unit(of), infer_unit(name)
    if Unit.NONE in (held, named):
        return 1.0
    return _convert(held, named, name, f"the histogram {of} is in {held}", held)


@lru_cache(_CACHED)
def factor_of_rate(name: str, counter: str) -> float:
    """From the counter's unit, per second, into that of the name; seconds per second are a fraction. Raises `UnitMismatch`.

    >>> factor_of_rate("cpu_usage_percent", "process_cpu_seconds_total")
    100.0
    """
    held, named = unit_of_counter(counter), infer_unit(name)
    if named is Unit.NONE:
        return 1.0
    if named in _FRACTIONS and held in _TIMES:
        return held.convert(1.0, Unit.SECONDS) * Unit.RATIO.convert(1.0, named)
    if named is Unit.PER_SECOND:
        return _per_second(name, held, f"{counter} is in {held}")
    raise _mismatch(name, f"the rate of {counter} is per second", Unit.PER_SECOND)


@lru_cache(_CACHED)
def factor_of_ratio(name: str, counters: tuple[str, str]) -> float:
    """From the first counter's unit per the second's into that of the name. Raises `UnitMismatch`.

    >>> factor_of_ratio("error_percent", ("errors_total", "requests_total"))
    100.0
    >>> factor_of_ratio("mean_ms", ("request_seconds_sum", "request_seconds_count"))
    1000.0
    """
    (above, below), named = (unit_of_counter(counter) for counter in counters), infer_unit(name)
    said = f"{counters[0]} per {counters[1]}"
    if named is Unit.NONE:
        return 1.0
    if above in _PLAIN and below in _PLAIN:
        if Unit.NONE in (above, below) and named not in _FRACTIONS:
            return 1.0  # nobody knows what is counted: the name's word is all there is
        return _convert(Unit.RATIO, named, name, f"{said} is a ratio", Unit.RATIO)
    if below in _PLAIN:
        return _convert(above, named, name, f"{said} is in {above}", above)
    if _dimension_is_one(above, below):
        return above.convert(1.0, below) * _convert(Unit.RATIO, named, name, f"{said} is a ratio", Unit.RATIO)
    if below in _TIMES and named is Unit.PER_SECOND:
        return _per_second(name, above, f"{counters[0]} is in {above}") / below.convert(1.0, Unit.SECONDS)
    raise _mismatch(name, f"{said} is in {above or 'pieces'} per {below}", Unit.PER_SECOND if below in _TIMES else Unit.NONE)


def _per_second(name: str, held: Unit, said: str) -> float:
    """A name such as sent_megabytes_per_second says what there is per second, too."""
    named = infer_unit(name.removesuffix(_PER_SECOND))
    if named is Unit.NONE or held is Unit.NONE:
        return 1.0
    try:
        return held.convert(1.0, named)
    except UnitMismatch:
        stem = name.removesuffix(f"_{named}{_PER_SECOND}").removesuffix(_PER_SECOND)
        raise UnitMismatch(
            f"{name} would be in {named} per second, but {said}", remedy=f"Call it {stem}_{held}{_PER_SECOND}"
        ) from None


def _convert(held: Unit, named: Unit, name: str, said: str, better: Unit) -> float:
    try:
        return held.convert(1.0, named)
    except UnitMismatch:
        raise _mismatch(name, said, better) from None


def _mismatch(name: str, said: str, better: Unit) -> UnitMismatch:
    named = infer_unit(name)
    stem = next((name.removesuffix(end) for end in (f"_{named}", "_ms", "_total") if name.endswith(end)), name)
    call = f"{stem}_{better}" if better else stem
    return UnitMismatch(f"{name} would be in {named}, but {said}", remedy=f"Call it {call}")


def _dimension_is_one(one: Unit, other: Unit) -> bool:
    try:
        one.convert(1.0, other)
    except UnitMismatch:
        return False
    return True
