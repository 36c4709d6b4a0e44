"""The sandbox's exact rows, for analysis: what the service's own API does not give."""

from __future__ import annotations

from spnb.sandbox.exact_rows.export import TableExport
from spnb.sandbox.exact_rows.rows import SCHEMAS, Tables

__all__ = ["SCHEMAS", "TableExport", "Tables"]
