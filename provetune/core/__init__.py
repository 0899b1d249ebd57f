"""What every room stands on: errors, the plug-in registry, protocols, seeds, atomic files, events. No torch."""
