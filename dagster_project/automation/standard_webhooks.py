"""Signature of Standard Webhooks 1.0, with the shared secret that a receiver checks it by."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping

from dagster_project.automation.http import Secret
from dagster_project.automation.outcomes import DeliveryError, Rejected

PREFIX = "whsec_"


def signed_headers(secret: Secret, message_id: str, body: bytes) -> Mapping[str, str]:
    """The three headers of a message that is sent now."""
    now = str(int(time.time()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": now,
        "webhook-signature": signature(key_of(secret), message_id, now, body),
    }


def key_of(secret: Secret) -> bytes:
    """The key of a shared secret, which is ``whsec_`` and at least 24 bytes in base64.

    Raises:
        DeliveryError: it is none; the message names the variable.
    """
    value = secret.value()
    try:
        key = base64.b64decode(value.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if len(key) < 24 or not value.startswith(PREFIX):
        reason = f"environment variable {secret.variable} holds no webhook secret: {PREFIX} and at least 24"
        raise DeliveryError(Rejected(f"{reason} bytes in base64", whole_destination=True))
    return key


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """The signature of a body: base64 of the HMAC-SHA256 over ``id.timestamp.body``."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
