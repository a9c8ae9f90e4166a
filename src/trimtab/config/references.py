"""Fill in `${env:NAME}` and `${file:/path}` wherever they stand in a text of the document; `$${` stays `${`.

What is filled in is a secret from then on: no message quotes it, no dump shows it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from trimtab.config.document import Document
from trimtab.config.parts import Context
from trimtab.config.relations import Path
from trimtab.config.secrets import MASK, SENSITIVE_KEY

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LARGEST_SECRET = 64 * 1024  # bytes


class _Unresolved(Exception):
    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


def fill_in(document: Document, environ: Mapping[str, str], context: Context) -> None:
    """Replace every reference in `document`, reporting those that lead nowhere; note what is secret by its name."""
    for path, text in list(_texts(document.tree, ())):
        if "${" in text:
            _fill_one(document, path, text, environ, context)
    for path, text in _texts(document.tree, ()):
        if is_sensitive(path):
            document.secrets.add(text)
            document.hidden.add(path)


def is_sensitive(path: Path) -> bool:
    """Whether what stands at `path` is a secret, by its key: a password, a token, the address of a notification."""
    words = [part for part in path if isinstance(part, str)]
    return bool(words) and (SENSITIVE_KEY.search(words[-1]) is not None or words == ["notifications", "url"])


def _fill_one(document: Document, path: Path, text: str, environ: Mapping[str, str], context: Context) -> None:
    filled, masked, position, secret = "", "", 0, False
    for match in _REFERENCE.finditer(text):
        between = text[position : match.start()]
        position = match.end()
        if match.group() == "$${":
            value = shown = "${"
        else:
            try:
                value, shown, secret = _resolve(match, environ, context), MASK, True
            except _Unresolved as error:
                document.refused.add(path)
                document.report(path, error.what, error.remedy)
                value = shown = ""
            else:
                document.secrets.add(value)
        filled, masked = filled + between + value, masked + between + shown
    filled, masked = filled + text[position:], masked + text[position:]
    document.replace(path, filled)
    if secret:
        document.secrets.add_whole(filled, masked)
        document.soft.add(path)
        document.hidden.add(path)


def _resolve(match: re.Match[str], environ: Mapping[str, str], context: Context) -> str:
    whole, inside = match.group(), match.group(1)
    kind, _, name = inside.partition(":")
    if not whole.endswith("}") or kind not in ("env", "file") or not name:
        raise _Unresolved(
            f"cannot read the reference {whole}", "write ${env:NAME} or ${file:/path}, or $${ for the letters themselves"
        )
    value = _from_environment(name, environ) if kind == "env" else _from_file(name, context)
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise _Unresolved(f"what {whole} holds is not UTF-8", "give it as UTF-8")
    if not value:
        raise _Unresolved(f"{whole} is there but empty", "give it a value")
    return value


def _from_environment(name: str, environ: Mapping[str, str]) -> str:
    if not _NAME.fullmatch(name):
        raise _Unresolved(f"'{name}' is not the name of a variable", "use letters, digits and _ only")
    if name not in environ:
        raise _Unresolved(f"the environment variable {name} is not set", f"set it before trimtab starts, e.g. export {name}=…")
    return environ[name]


def _from_file(name: str, context: Context) -> str:
    try:
        with open(context.locate(FilePath(name)), "rb", opener=_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _Unresolved(f"{name} is no regular file", "name a file that holds the secret; a pipe may never end")
            raw = file.read(_LARGEST_SECRET + 1)
        if len(raw) > _LARGEST_SECRET:
            raise _Unresolved(f"the file {name} is larger than 64 KiB", "name a file that holds only the secret")
        return raw.decode("utf-8").rstrip("\r\n")
    except FileNotFoundError:
        raise _Unresolved(f"there is no file {name}", "create it, or correct the path") from None
    except UnicodeDecodeError:
        raise _Unresolved(f"the file {name} is not UTF-8", "save it as UTF-8") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise _Unresolved(f"the file {name} cannot be read ({reason})", "check its path and rights") from None


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for whoever is to write at the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _texts(tree: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(tree, str):
        yield path, tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from _texts(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _texts(value, (*path, index))
