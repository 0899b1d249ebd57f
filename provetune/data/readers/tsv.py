"""Tab-separated values."""

from __future__ import annotations

from provetune.data.readers._delimited import DelimitedReader

READER = DelimitedReader("tsv", (".tsv", ".tab"), "\t")
