"""What is asked of the sandbox's database does not grow with what it holds: by the plans of its queries."""

from __future__ import annotations

from pathlib import Path

import pytest

from spnb.sandbox.store import Store


@pytest.mark.parametrize(
    ("table", "where", "index"),
    [
        # Of a post that all react to, and of a user who reacts to all, one row is read.
        ("reactions", {"referenceType": "post", "referenceId": "a", "userId": "b"}, "referenceId_userId"),
        ("messages", {"referenceId": "a", "messageFeedId": "b"}, "referenceId"),
        ("messages", {"messageFeedId": "b", "isDeleted": 0}, "messageFeedId"),
        ("sessions", {"userInternalId": "a", "deviceId": "b"}, "deviceId"),
        ("activities", {"metadata.sourceId": "a"}, "metadata_sourceId"),
    ],
)
def test_rows_are_found_by_what_is_selective(tmp_path: Path, table: str, where: dict[str, object], index: str) -> None:
    store = Store(tmp_path / "sandbox.sqlite")
    condition, values = getattr(store, table)._condition(where)
    query = f"EXPLAIN QUERY PLAN SELECT doc FROM {table}{condition} ORDER BY n LIMIT 20"
    plan = [row[3] for row in store._db.execute(query, values)]
    assert plan[0].startswith(f"SEARCH {table} USING INDEX {table}_{index} (")
    assert not [step for step in plan if "TEMP B-TREE" in step], "the order of creation comes with the index"
    store.close()
