"""What was found, told to the person who ran `trimtab init`. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.discovery.draft import machine_in_words, plain
from trimtab.discovery.look import NOT_HTTP, Found
from trimtab.discovery.machine import Machine
from trimtab.domain.words import format_number


def summary(machine: Machine, found: Found) -> Sequence[tuple[str, str]]:
    """What was found, in labelled sentences."""
    disks = ", ".join(f"{disk.path} {format_number(disk.used_percent)} % full" for disk in machine.disks)
    told = [
        (
            "machine",
            f"{machine_in_words(machine)}, memory {format_number(machine.memory_percent)} % used; {disks or 'no disk'}; "
            f"{machine.timezone}",
        )
    ]
    for service in found.services:
        have = ", ".join({"p95": "p95", "rate": "rate", "errors": "error ratio"}[each.role] for each in service.offer.suggestions)
        gauges = len(service.offer.gauges)
        told.append((service.name, f"{service.url}: {have or 'no request metrics'}, {gauges} gauge{'' if gauges == 1 else 's'}"))
    for program in found.programs:
        levers = ", ".join(f"{lever.name} = {plain(lever.now)}" for lever in program.levers) or "none"
        told.append((program.name, f"{program.socket}: levers {levers}; sensors {', '.join(program.sensors) or 'none'}"))
    told.extend(("trimtab", f"an agent of its own runs on port {port.number}") for port in found.agents)
    if found.left_alone:
        told.append(("not asked", ", ".join(f"{port.number} ({NOT_HTTP[port.number]})" for port in found.left_alone)))
    if found.more:
        told.append(("not asked", f"{found.more} further ports"))
    return told
