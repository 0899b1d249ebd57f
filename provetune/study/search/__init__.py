"""Search: settings of a candidate found on validation rows, before the study that tests it begins."""
