"""The database: connection, every table, one lineage of migrations. No torch."""
