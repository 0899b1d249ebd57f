"""The parts that columns play in retrieval."""

from __future__ import annotations

from provetune.core.protocols import Role

QUERY = Role("text", "The query: a question, or what is searched for.")
DOCUMENT = Role("document", "The document that answers it, e.g. a paragraph or a known question.")
NEGATIVE = Role("negative", "Documents that do not answer it: one or several columns, texts or lists.", False, True)
RELEVANT = Role("relevant", "Whether the document answers the query (1, yes) or not (0, no).", False)
ROLES = (QUERY, DOCUMENT, NEGATIVE, RELEVANT)
