"""A trained model as a folder that anyone can load, verify and read."""
