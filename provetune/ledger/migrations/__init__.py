"""The ledger's one lineage of migrations."""
