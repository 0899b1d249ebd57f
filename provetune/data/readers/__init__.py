"""Where rows come from: one file a format. Each defines `READER`."""

from __future__ import annotations

from provetune.core.registry import Registry
from provetune.data.table import Reader

READERS: Registry[Reader] = Registry("provetune.data.readers", "READER", "data format")
