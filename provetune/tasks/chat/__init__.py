"""Chat: the next answer in a conversation, by models that go on with texts."""

from __future__ import annotations

from provetune.tasks.chat.task import Chat

TASK = Chat()
