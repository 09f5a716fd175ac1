"""``sasl.jaas.config``: the login module line of Java clients, as librdkafka settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from penstock.errors import ConfigError

__all__ = ["parse_jaas"]

_LINE: Final = re.compile(
    r"\s*+(?P<module>[\w.$]++)\s++(?P<flag>required|requisite|sufficient|optional)\b(?P<options>.*)", re.S | re.I
)
_OPTION: Final = re.compile(r"(?<![\w.])([\w.]++)\s*+=\s*+(?:\"((?:[^\"\\]|\\.)*+)\"|'((?:[^'\\]|\\.)*+)'|([^\s;]+))")


def parse_jaas(text: str) -> Mapping[str, Any]:
    """Return user name and password for PLAIN and SCRAM, client credentials for OAUTHBEARER. No error repeats `text`."""
    match = _LINE.match(text)
    if match is None:
        raise ConfigError(
            "Invalid value [hidden] for configuration sasl.jaas.config: expected '<LoginModule> required name=\"value\" ...;'"
        )
    options = {m[1]: _unescape(m[2] or m[3] or m[4] or "") for m in _OPTION.finditer(match["options"])}
    module = match["module"].rsplit(".", 1)[-1]
    if module in ("PlainLoginModule", "ScramLoginModule"):
        if "username" not in options or "password" not in options:
            raise ConfigError(
                f"Invalid value [hidden] for configuration sasl.jaas.config: {module} needs username and password"
            )
        return {"sasl.username": options["username"], "sasl.password": options["password"]}
    if module == "OAuthBearerLoginModule":
        named = {
            "clientId": "sasl.oauthbearer.client.id",
            "clientSecret": "sasl.oauthbearer.client.secret",
            "scope": "sasl.oauthbearer.scope",
        }
        return {named[k]: v for k, v in options.items() if k in named}
    raise ConfigError(
        f"Invalid value [hidden] for configuration sasl.jaas.config: login module {module} is not supported; expected PlainLoginModule, ScramLoginModule or OAuthBearerLoginModule"
    )


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
