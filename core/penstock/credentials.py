"""Texts without the credentials that URLs in them carry."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["without_credentials"]

#: User and password of a URL. The bounds keep a text of many ``://`` from costing the square of its length.
_USER_INFO: Final = re.compile(r"://(?:[^\s/?#,@]{0,2000}@)+|://[^\s/@:,]{0,500}:[^\s@,/][^\s@,]{0,2000}@")
#: The parameters of JDBC-like URLs that hold a secret.
_PARAMETER: Final = re.compile(
    r"([?&;](?:user|username|password|passwd|pwd|secret|token|access_?token|api_?key|sslpassword|[\w.-]{0,40}secret|[\w.-]{0,40}password)=)[^&;\s'\",]*",
    re.I,
)


def without_credentials(text: str) -> str:
    """Return `text` with user and password cut out of every URL in it, and secrets in URL parameters hidden."""
    if "://" in text:
        text = _USER_INFO.sub("://", text)
    if "=" in text:
        text = _PARAMETER.sub(r"\1[hidden]", text)
    return text
