"""Writing texts with a model: how it decodes, in which language, and how sure it was of what it wrote."""
