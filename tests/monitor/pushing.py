"""Bodies as senders make them, written byte by byte: shares no code with the decoders."""

from __future__ import annotations

import struct

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]


def varint(number):
    found = b""
    number &= (1 << 64) - 1
    while True:
        low, number = number & 0x7F, number >> 7
        if not number:
            return found + bytes([low])
        found += bytes([low | 0x80])


def block(field, content):
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def number(field, value):
    return varint(field << 3) + varint(value)


def double(field, value):
    return varint(field << 3 | 1) + struct.pack("<d", value)


def fixed(field, value):
    return varint(field << 3 | 1) + struct.pack("<q", value)


# -- remote write


def label(name, value):
    return block(1, block(1, name) + block(2, value))


def sample(value, milliseconds):
    return block(2, double(1, value) + number(2, milliseconds))


def series(labels, *samples):
    return block(1, b"".join(label(*each) for each in labels.items()) + b"".join(sample(*each) for each in samples))


# -- OTLP


def attribute(field, key, value):
    kinds = {
        str: lambda: block(1, value),
        bool: lambda: number(2, value),
        int: lambda: number(3, value),
        float: lambda: double(4, value),
    }
    return block(field, block(1, key) + block(2, kinds[type(value)]()))


def export(resource, *metrics):
    attributes = b"".join(attribute(1, *each) for each in resource.items())
    return block(1, block(1, attributes) + block(2, b"".join(block(2, metric) for metric in metrics)))


def gauge(name, unit, *points):
    return block(1, name) + block(3, unit) + block(5, b"".join(block(1, each) for each in points))


def counter(name, unit, *points, temporality=2, monotonic=True):
    about = number(2, temporality) + number(3, monotonic)
    return block(1, name) + block(3, unit) + block(7, b"".join(block(1, each) for each in points) + about)


def point(value, seconds, **attributes):
    about = b"".join(attribute(7, *each) for each in attributes.items())
    return fixed(3, int(seconds * 1e9)) + (fixed(6, value) if isinstance(value, int) else double(4, value)) + about


def histogram(name, unit, counts, bounds, total, seconds, temporality=2, **attributes):
    about = b"".join(attribute(9, *each) for each in attributes.items())
    packed = block(6, b"".join(struct.pack("<q", each) for each in counts)) + block(
        7, b"".join(struct.pack("<d", each) for each in bounds)
    )
    one = fixed(3, int(seconds * 1e9)) + fixed(4, sum(counts)) + double(5, total) + packed + about
    return block(1, name) + block(3, unit) + block(9, block(1, one) + number(2, temporality))
