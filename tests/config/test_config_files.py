"""Whatever the file is, people get a sentence with its place."""

import os
from functools import partial

import pytest

from trimtab.config import load, load_part
from trimtab.domain.errors import ConfigError

FILES = {
    "empty": (b"", ":1:1: the file is empty; "),
    "only a comment": (b"# nothing yet\n", ":1:1: the file is empty; "),
    "a list": (b"- a\n- b\n", ":1:1: expected settings such as `version: 1`, got a list; "),
    "a word": (b"\n  hello\n", ":2:3: expected settings such as `version: 1`, got a single value; "),
    "bracket left open": (b"api: {port: 1\nlog: 3\n", ":2:4: invalid YAML: "),
    "bad indentation": (b"api:\n  port: 1\n host: x\n", ":3:2: invalid YAML: "),
    "a tab": (b"api:\n\tport: 1\n", ":2:1: invalid YAML: "),
    "unknown alias": (b"api: *nope\n", ":1:6: invalid YAML: found undefined alias 'nope'; "),
    "two documents": (b"version: 1\n---\nversion: 1\n", ":2:1: invalid YAML: "),
    "latin-1": (b"version: 1\nlog: {file: caf\xe9}\n", ":2:16: byte 0xe9 is not UTF-8; save the file as UTF-8"),
    "utf-16": ("version: 1".encode("utf-16"), ":1:1: byte 0xff is not UTF-8; "),
    "control character": (b"version: 1\nlog: {file: a\x07b}\n", ":2:14: invalid YAML: a control character; "),
    "contains itself": (b"api: &a {host: *a}\n", ":1:6: this contains itself or is nested too deeply; "),
    "deep": (b"a: " + b"[" * 700, "nested too deeply; "),
    "unfolds without end": (
        b"a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 9)),
        ":1:1: aliases unfold into too many values; ",
    ),
    "large": (b"# " + b"x" * (4 * 1024 * 1024), ": the file is larger than 4 MiB; "),
}


@pytest.mark.parametrize(("content", "expected"), FILES.values(), ids=FILES.keys())
def test_a_file_that_is_no_configuration_says_where_and_what(tmp_path, content, expected):
    file = tmp_path / "t.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(file, environ={})
    assert expected in caught.value.problems[0]
    assert caught.value.problems[0].startswith(str(file))
    assert "; " in caught.value.problems[0]


def test_a_path_that_is_no_file(tmp_path):
    for path, expected in ((tmp_path, "this is a folder"), ("a\0b", "cannot be read")):
        with pytest.raises(ConfigError) as caught:
            load(path, environ={})
        assert expected in caught.value.problems[0]


@pytest.mark.parametrize("folder", [None, "absent"], ids=["here", "elsewhere"])
@pytest.mark.parametrize("read", [load, partial(load_part, keys=("version",))], ids=["all", "part"])
def test_without_a_file_it_is_said_how_to_get_one(tmp_path, monkeypatch, folder, read):
    monkeypatch.chdir(tmp_path)
    name = f"{folder}/none.yaml" if folder else "none.yaml"
    with pytest.raises(ConfigError) as caught:
        read(name, environ={})
    here = "" if folder else " here"
    assert str(caught.value) == f"there is no {name}{here}. `trimtab init` writes one; or name yours with --config"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    file = tmp_path / "t.yaml"
    file.write_text("version: 1")
    file.chmod(0)
    with pytest.raises(ConfigError, match="may not be read"):
        load(file, environ={})


def loaded(tmp_path, text, **environ):
    file = tmp_path / "t.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, environ=environ)


def test_words_mean_what_yaml_1_2_says(tmp_path):
    settings = loaded(
        tmp_path,
        "\ufefftimezone: UTC\nretention_days: 010\nmax_concurrent_actions: 0x2\nanalysis_window_minutes: 1e1\n"
        "elements:\n- {name: 2024-01-01, levers: [{type: t, name: no, kind: choice, choices: [on, off, yes]}]}",
    )
    assert (settings.retention_days, settings.max_concurrent_actions, settings.analysis_window_minutes) == (10, 2, 10)
    (element,) = settings.elements
    assert (element.name, element.levers[0].name, element.levers[0].choices) == ("2024-01-01", "no", ("on", "off", "yes"))


def test_anchors_and_merges_serve(tmp_path):
    settings = loaded(
        tmp_path,
        "elements:\n- name: a\n  levers:\n  - &base {type: t, name: one, bounds: [1, 4], risk_level: 0.1}\n"
        "  - {<<: *base, name: two}\n  - {name: three, <<: [*base]}\n",
    )
    levers = settings.elements[0].levers
    assert [(lever.name, lever.risk_level) for lever in levers] == [("one", 0.1), ("two", 0.1), ("three", 0.1)]


@pytest.mark.parametrize(
    "given", ["", "storage: {}", "storage: {path: ./trimtab-data}", "storage: {path: trimtab-data/../trimtab-data}"]
)
def test_the_data_folder_lies_beside_the_file_wherever_one_stands(tmp_path, monkeypatch, given):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "t.yaml").write_text(f"version: 1\n{given}\nlog: {{file: logs/agent.log}}")
    monkeypatch.chdir(tmp_path)
    settings = load("etc/t.yaml", environ={})
    assert settings.storage.path == (tmp_path / "etc" / "trimtab-data").resolve()
    assert settings.log.file == (tmp_path / "etc" / "logs" / "agent.log").resolve()


def test_absolute_and_home_paths_stay_what_they_are(tmp_path):
    assert str(loaded(tmp_path, "storage: {path: /var/lib/t}").storage.path) == "/var/lib/t"
    assert str(loaded(tmp_path, "storage: {path: ~/t}", HOME="/home/ada").storage.path) == "/home/ada/t"
