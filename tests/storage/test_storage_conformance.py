"""Every store keeps the contract that its port writes out."""

from trimtab.storage.journal import SqliteJournal
from trimtab.storage.memory import MemoryJournal, MemoryMetricStore
from trimtab.storage.mending import MendingMetricStore
from trimtab.storage.metrics import SqliteMetricStore
from trimtab.testing.stores import JournalConformance, MetricStoreConformance


class TestSqliteJournal(JournalConformance):
    def make(self, path):
        return SqliteJournal(path / "journal.db")


class TestSqliteJournalWithKey(JournalConformance):
    def make(self, path):
        return SqliteJournal(path / "journal.db", key=b"0123456789abcdef0123456789abcdef")


class TestMemoryJournal(JournalConformance):
    durable = False

    def make(self, path):
        return MemoryJournal()


class TestSqliteMetricStore(MetricStoreConformance):
    def make(self, path):
        return SqliteMetricStore(path / "metrics.db")


class TestMemoryMetricStore(MetricStoreConformance):
    durable = False

    def make(self, path):
        return MemoryMetricStore()


class TestMendingMetricStore(MetricStoreConformance):
    def make(self, path):
        return MendingMetricStore(path / "metrics.db", SqliteMetricStore, print)
