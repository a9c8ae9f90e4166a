"""References are filled in everywhere, and what they hold is shown nowhere."""

import json
import os

import pytest
from hypothesis import assume, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from trimtab.config import LeverOptions, load
from trimtab.config.secrets import Secrets
from trimtab.domain.errors import ConfigError


class Picky(LeverOptions):
    token: str = ""
    retries: int = 1


CONFIG = """
api: {port: "${env:PORT}", host: "${env:HOST}"}
storage: {path: "data/${env:PW}", journal_key: "${env:PW}"}
elements:
- name: shop
  levers:
  - type: http
    name: workers
    bounds: [1, 16]
    headers: {Authorization: "Bearer ${env:PW}", X: "$${env:PW}", Both: "${env:PW}:${file:key.pem}"}
    password: literal-one
notifications: [{url: "slack://token-one/x"}]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "t.yaml").write_text(CONFIG)
    (tmp_path / "key.pem").write_text("-----BEGIN-----\nMIIabcdefgh\n")
    return tmp_path


ENVIRON = {"PW": "hunter22", "PORT": "9000", "HOST": "127.0.0.1"}


def test_references_are_filled_in_also_within_longer_texts_and_as_numbers(folder):
    settings = load(folder / "t.yaml", environ=ENVIRON)
    lever = settings.elements[0].levers[0]
    assert lever.headers == {
        "Authorization": "Bearer hunter22",
        "X": "${env:PW}",
        "Both": "hunter22:-----BEGIN-----\nMIIabcdefgh",
    }
    assert settings.api.port == 9000
    assert settings.storage.journal_key.get_secret_value() == "hunter22"
    assert settings.storage.path == (folder / "data" / "hunter22").resolve()


def test_no_view_of_the_settings_shows_a_secret(folder):
    settings = load(folder / "t.yaml", environ=ENVIRON)
    views = [
        view(part)
        for part in (
            settings,
            settings.elements[0],
            settings.elements[0].levers[0],
            settings.storage,
            settings.notifications[0],
            settings.api,
        )
        for view in (repr, str, lambda it: str(it.model_dump()), lambda it: it.model_dump_json(), lambda it: str(it.model_copy()))
    ]
    for secret in ("hunter22", "9000", "MIIabcdefgh", "literal-one", "token-one"):
        assert not [view for view in views if secret in view], secret
    assert settings.model_dump()["elements"][0]["levers"][0]["headers"]["Authorization"] == "Bearer ***"
    assert settings.model_dump()["elements"][0]["levers"][0]["headers"]["X"] == "${env:PW}"


def test_redact_hides_every_form_of_a_secret(folder):
    settings = load(folder / "t.yaml", environ=ENVIRON | {"PW": 'a"b c\\d'})
    for text in (
        'a"b c\\d',
        json.dumps('a"b c\\d'),
        repr('a"b c\\d'),
        "x?key=a%22b%20c%5Cd",
        "line MIIabcdefgh",
        "slack://token-one/x",
    ):
        assert "***" in settings.redact(text)
        assert "b c" not in settings.redact(text)
    assert settings.redact("nothing to hide") == "nothing to hide"


def test_a_short_secret_is_hidden_where_it_stands_alone():
    secrets = Secrets()
    secrets.add("7")
    assert secrets.redact("pin 7, 17 workers") == "pin ***, 17 workers"
    secrets.add_whole("x7", "x***")
    assert secrets.mask({"a": ["x7", ("x7",)]}) == {"a": ["x***", ("x***",)]}


def test_order_and_spelling_do_not_change_what_is_in_force(tmp_path):
    read = set()
    for text in ("retention_days: 30\napi: {port: 8642}", "api:\n  port: 0x21C2\nversion: 1", "{}"):
        (tmp_path / "t.yaml").write_text(text)
        read.add(load(tmp_path / "t.yaml", environ={}).model_dump_json())
    assert len(read) == 1


REFERENCES = {
    "unset": ("${env:NOPE}", "the environment variable NOPE is not set"),
    "empty": ("${env:EMPTY}", "${env:EMPTY} is there but empty"),
    "not utf-8": ("${env:BROKEN}", "is not UTF-8"),
    "no name": ("${env:}", "cannot read the reference ${env:}"),
    "bad name": ("${env:A-B}", "'A-B' is not the name of a variable"),
    "left open": ("${env:PW", "cannot read the reference ${env:PW"),
    "plain": ("${PW}", "cannot read the reference ${PW}"),
    "folder": ("${file:.}", "the file . cannot be read (Is a directory)"),
    "binary file": ("${file:binary}", "the file binary is not UTF-8"),
    "large file": ("${file:large}", "is larger than 64 KiB"),
    "pipe": ("${file:pipe}", "pipe is no regular file; name a file that holds the secret"),
    "pipe with a writer": ("${file:fed}", "fed is no regular file"),
    "link to a pipe": ("${file:link}", "link is no regular file"),
    "device": ("${file:/dev/zero}", "/dev/zero is no regular file"),
    "empty file": ("${file:empty}", "${file:empty} is there but empty"),
}


@pytest.mark.parametrize(("reference", "expected"), REFERENCES.values(), ids=REFERENCES.keys())
def test_a_reference_that_leads_nowhere_is_a_mistake_with_its_line(tmp_path, reference, expected):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"x" * 70_000)
    (tmp_path / "empty").write_bytes(b"\n")
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "fed")
    (tmp_path / "link").symlink_to("pipe")
    writer = os.open(tmp_path / "fed", os.O_RDWR)
    os.write(writer, b"secret")
    (tmp_path / "t.yaml").write_text(f"version: 1\nlog:\n  file: 'x {reference}'\n")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "t.yaml", environ={"EMPTY": "", "BROKEN": "\udcff", "PW": "x"})
    os.close(writer)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{tmp_path / 't.yaml'}:3:9: ")
    assert expected in problem


WRONG_EVERYWHERE = """
timezone: ${env:S}
retention_days: ${env:S}
collection_interval_seconds: ${env:S}
storage: {url: "x${env:S}"}
api: {port: "${env:S}", host: ["${env:S}"]}
safety: {simulation_mode: "${env:S}"}
log: {level: "${env:S}", format: "a ${env:S} b"}
elements:
- name: "${env:S} "
  kind: ${env:S}
  depends_on: ["${env:S}"]
  sensors: [{type: "${env:S}"}, "${env:S}"]
  levers:
  - {type: picky, name: "a b ${env:S}", kind: "${env:S}", bounds: ["${env:S}"],
     choices: "${env:S}", retries: "${env:S}", moves: {m: "${env:S}"}}
  guards: [{metric_name: "{${env:S}", max: "${env:S}"}]
goals: [{metric_name: "{${env:S}", direction: "${env:S}", element: "${env:S}", target_value: "${env:S}", aggregate: "${env:S}"}]
notifications: [{url: "${env:S}", on: ["${env:S}"]}]
"""  # fmt: skip


@profile(max_examples=40, deadline=None)
@given(
    secret=st.text(st.sampled_from("QZXJ0987%\"'\\~<é\n \t"), min_size=6, max_size=120).filter(
        lambda text: len(text.strip()) >= 6
    )
)
def test_no_error_message_ever_holds_a_secret(tmp_path_factory, secret):
    folder = tmp_path_factory.getbasetemp()
    (folder / "wrong.yaml").write_text(WRONG_EVERYWHERE)
    with pytest.raises(ConfigError) as caught:
        load(folder / "wrong.yaml", environ={"S": secret}, levers={"picky": Picky}, sensors={"real": LeverOptions})
    assert len(caught.value.problems) >= 20
    said = "\n".join(problem.partition(": ")[2] for problem in caught.value.problems)
    assert secret not in said and repr(secret)[1:-1] not in said
    assert caught.value.__cause__ is None and (caught.value.__suppress_context__ or caught.value.__context__ is None)


@profile(max_examples=40, deadline=None)
@given(secret=st.text(st.characters(codec="utf-8"), min_size=8, max_size=60).filter(lambda text: text.strip() == text))
def test_no_dump_ever_holds_a_secret(tmp_path_factory, secret):
    file = tmp_path_factory.getbasetemp() / "right.yaml"
    lever = "{type: t, name: l, bounds: [1, 2], x: {deep: ['Bearer ${env:S}', '${env:S}']}}"
    file.write_text(f"elements: [{{name: a, levers: [{lever}]}}]")
    other = load(file, environ={"S": "a-secret-like-no-other"})
    assume(secret not in repr(other) + other.model_dump_json())  # a word of our own, such as "critical", is no secret
    settings = load(file, environ={"S": secret})
    assert settings.elements[0].levers[0].x["deep"] == [f"Bearer {secret}", secret]
    for view in (repr(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert secret not in view and repr(secret)[1:-1] not in view
    assert settings.model_dump_json() == other.model_dump_json()
