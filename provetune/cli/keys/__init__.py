"""Keys of the service: make one, see which there are, take one back."""
