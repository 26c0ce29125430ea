"""Check of a base URL that a secret is sent to: https, or plain http on this machine, without a login."""

from urllib.parse import urlsplit


def safe_for_a_secret(value: str) -> str:
    """The URL, if a secret may be sent there; a function for pydantic's ``field_validator``.

    Raises:
        ValueError: it is not https, or contains a user or password.
    """
    url = urlsplit(value)
    if url.username or url.password:
        raise ValueError("must not contain a user or password; secrets come from the variables named by *_env")
    local = url.hostname in ("localhost", "127.0.0.1", "::1")
    if url.scheme != "https" and not (local and url.scheme == "http"):
        raise ValueError("must begin with https://, because a secret is sent there")
    return value
