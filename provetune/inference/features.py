"""Features in memory, a column each; see `provetune.models.feature_table`."""

from __future__ import annotations

from provetune.models.feature_table import FeatureTable

__all__ = ["FeatureTable"]
