"""Comma-separated values; semicolons, tabs and bars are found as well."""

from __future__ import annotations

from provetune.data.readers._delimited import DelimitedReader

READER = DelimitedReader("csv", (".csv",), ",")
