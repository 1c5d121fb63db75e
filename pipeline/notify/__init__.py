"""Tells somebody: open incidents to a webhook, once each, and again when they are over."""

from __future__ import annotations

from pipeline.notify.messages import KINDS, Notice, notices_of, payload
from pipeline.notify.record import SentRecord
from pipeline.notify.send import Webhook, send

__all__ = ["KINDS", "Notice", "SentRecord", "Webhook", "notices_of", "payload", "send"]
