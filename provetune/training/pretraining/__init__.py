"""Pretraining that goes on: a backbone learns from raw text of its later field, before any label is seen."""
