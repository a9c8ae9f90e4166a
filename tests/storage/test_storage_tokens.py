"""Tokens: shown once, kept as digests, worthless the moment they are revoked or expire."""

import hashlib
import json
import threading

import pytest

from trimtab.domain.access import Grant, Role
from trimtab.domain.errors import Conflict, NotFound, StoreError
from trimtab.domain.ports import TokenChecker
from trimtab.storage.tokens import TokenStore


@pytest.fixture
def store(tmp_path):
    return TokenStore(tmp_path / "access.json")


@pytest.mark.parametrize("mine", Role)
@pytest.mark.parametrize("needed", Role)
def test_roles_are_ordered(mine, needed):
    may = {
        "sender": {"sender"},
        "viewer": {"viewer"},
        "operator": {"sender", "viewer", "operator"},
        "admin": {"sender", "viewer", "operator", "admin"},
    }
    assert mine.may(needed) is (needed in may[mine])


def test_a_token_grants_its_role_and_only_its_digest_is_kept(store, tmp_path):
    token = store.create("ann", Role.OPERATOR, now=5.0)
    checker: TokenChecker = store
    assert token.startswith("tt_") and len(token) == 3 + 43
    assert checker.check(token, 1e12) == Grant("ann", Role.OPERATOR)
    text = (tmp_path / "access.json").read_text()
    assert token not in text and token[3:] not in text
    assert hashlib.sha256(token.encode()).hexdigest() in text
    assert (tmp_path / "access.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("wrong", ["", "tt_", "é", "\ud800", "x" * 10_000, "tt_" + "A" * 43], ids=lambda text: ascii(text[:9]))
def test_any_other_token_grants_nothing(store, wrong):
    token = store.create("ann", "viewer", now=0.0)
    assert store.check(wrong, 0.0) is None
    assert store.check(token + wrong, 0.0) is None or wrong == ""
    assert store.check(token[:-1], 0.0) is None


def test_a_digest_is_not_a_token(store):
    token = store.create("ann", "viewer", now=0.0)
    assert store.check(hashlib.sha256(token.encode()).hexdigest(), 0.0) is None


@pytest.mark.parametrize(("ttl", "at", "valid"), [(60.0, 159.9, True), (60.0, 160.0, False), (None, 1e15, True)])
def test_expiry(store, ttl, at, valid):
    token = store.create("ci", Role.ADMIN, now=100.0, ttl=ttl)
    assert (store.check(token, at) is not None) is valid
    assert not store.empty  # an expired token still means that the door is to be closed


def test_changes_of_another_process_count_at_the_next_request(tmp_path):
    agent, command = TokenStore(tmp_path / "access.json"), TokenStore(tmp_path / "access.json")
    assert agent.empty
    token = command.create("ann", Role.VIEWER, now=0.0)
    assert agent.check(token, 1.0) == Grant("ann", Role.VIEWER)
    other = command.create("bob", Role.ADMIN, now=0.0)
    assert [(info.name, info.role) for info in agent.list()] == [("ann", Role.VIEWER), ("bob", Role.ADMIN)]
    command.revoke("ann")
    assert agent.check(token, 1.0) is None
    assert agent.check(other, 1.0) is not None
    command.revoke("bob")
    assert agent.empty


@pytest.mark.parametrize(
    ("name", "ttl", "says"),
    [
        ("ann", None, "named ann already.*Revoke it"),
        ("  ", None, "needs a name"),
        ("bob", 0.0, "0.0 seconds"),
        ("bob", float("nan"), "nan"),
    ],
    ids=["taken", "empty", "no time", "not a time"],
)
def test_what_cannot_be_is_refused_and_changes_nothing(store, name, ttl, says):
    store.create("ann", Role.VIEWER, now=0.0)
    before = store.list()
    with pytest.raises(Conflict, match=says):
        store.create(name, Role.ADMIN, now=0.0, ttl=ttl)
    assert store.list() == before


def test_revoking_an_unknown_name_says_so(store):
    with pytest.raises(NotFound, match=r"no token named eve.*trimtab token list"):
        store.revoke("eve")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"version":9,"tokens":[]}', '{"version":1,"tokens":[{"sha256":"x"}]}'],
    ids=["empty", "torn", "list", "bare", "newer", "incomplete"],
)
def test_a_damaged_file_lets_nobody_in(tmp_path, store, text):
    """Least of all by looking empty, which would mean that no token is needed."""
    token = store.create("ann", Role.ADMIN, now=0.0)
    (tmp_path / "access.json").write_text(text)
    for ask in (lambda: store.check(token, 0.0), lambda: store.empty, store.list, lambda: store.create("b", "admin", now=0.0)):
        with pytest.raises(StoreError, match="damaged, so nobody is let in"):
            ask()
    assert (tmp_path / "access.json").read_text() == text


@pytest.mark.parametrize("expires", ["soon", "NaN", [1], float("nan"), float("inf")], ids=repr)
def test_an_odd_expiry_does_not_mean_for_ever(tmp_path, store, expires):
    token = store.create("ann", Role.ADMIN, now=0.0, ttl=10.0)
    document = json.loads((tmp_path / "access.json").read_text())
    document["tokens"][0]["expires_at"] = expires
    (tmp_path / "access.json").write_text(json.dumps(document))
    with pytest.raises(StoreError):
        store.check(token, 1e9)


def test_tokens_made_at_the_same_time_are_all_kept(tmp_path):
    def make(name):
        TokenStore(tmp_path / "access.json").create(name, Role.VIEWER, now=0.0)

    threads = [threading.Thread(target=make, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(info.name for info in TokenStore(tmp_path / "access.json").list()) == [f"t{number}" for number in range(8)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["access.json", "access.lock"]


def test_a_folder_that_cannot_be_written_to_is_a_clear_error(tmp_path):
    with pytest.raises(StoreError, match=r"could not be written.*tokens are as they were"):
        TokenStore(tmp_path / "nowhere" / "access.json").create("ann", Role.VIEWER, now=0.0)
