"""AWS Secrets Manager."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import botocore.config
import botocore.exceptions
import botocore.session

from penstock import __version__
from penstock.config.definition import ConfigDef, ConfigType, Importance
from penstock.config.secrets.store import (
    Secret,
    SecretPath,
    SecretStore,
    SecretUnavailableError,
    secret_of_text,
    store_def,
)
from penstock.errors import ConfigError
from penstock.logs import no_wire_logs

__all__ = ["SecretsManagerConfigProvider"]

#: The errors of AWS that the next request may not meet.
_PASSING: Final = frozenset(
    {
        "InternalServiceError",
        "InternalFailure",
        "ServiceUnavailable",
        "ThrottlingException",
        "Throttling",
        "RequestTimeout",
    }
)


def _settings() -> ConfigDef:
    high, low, text = Importance.HIGH, Importance.LOW, ConfigType.STRING
    return (
        store_def()
        .define("aws.region", text, "", importance=high, doc="The region; empty: where AWS' own tools look for it.")
        .define("aws.auth.method", text, "", importance=low,
                doc="credentials: the two keys are needed; default: they are not looked at; empty: they are used where set.")
        .define("aws.access.key", text, "", importance=high,
                doc="The id of the access key; empty: credentials come from where AWS' own tools look for them.")
        .define("aws.secret.key", ConfigType.PASSWORD, "", importance=high, doc="The secret access key.")
        .define("endpoint.override", text, "", importance=low, doc="The URL of the service, where it is not AWS' own.")
        .define("use.json", ConfigType.BOOLEAN, True, importance=low,
                doc="Whether a secret is a JSON object of keys and values; false: it is one text, under the key value.")
    )  # fmt: skip


class SecretsManagerConfigProvider(SecretStore):
    """Looks keys up in a secret of AWS, by its name: ``${aws:prod/db:password}``. `SecretPath.version` is a version's id."""

    version = __version__
    settings: ClassVar[ConfigDef] = _settings()
    other_names: ClassVar[Mapping[str, str]] = {
        "aws.endpoint.override": "endpoint.override",
        "region": "aws.region",
        "endpoint": "endpoint.override",
    }

    def connect(self) -> None:
        config = self.config
        access, secret = config["aws.access.key"], config["aws.secret.key"].value
        method = config["aws.auth.method"].strip().lower()
        if method not in ("", "credentials", "default"):
            raise ConfigError("aws.auth.method", config["aws.auth.method"], "expected credentials or default")
        if method == "default":
            access = secret = ""
        if bool(access) != bool(secret) or (method == "credentials" and not access):
            raise ConfigError("aws.access.key and aws.secret.key are needed together")
        no_wire_logs(
            *(
                f"botocore.{name}"
                for name in ("parsers", "endpoint", "auth", "hooks", "httpsession", "client", "utils", "credentials")
            )
        )
        seconds = config["timeout.seconds"]
        try:
            self._client = botocore.session.get_session().create_client(
                "secretsmanager",
                region_name=config["aws.region"] or None,
                endpoint_url=config["endpoint.override"] or None,
                aws_access_key_id=access or None,
                aws_secret_access_key=secret or None,
                # Further attempts are `SecretStore`'s.
                config=botocore.config.Config(
                    connect_timeout=seconds, read_timeout=seconds, retries={"total_max_attempts": 1}
                ),
            )
        except botocore.exceptions.NoRegionError:
            raise ConfigError("aws.region is not set, nor in the environment or AWS' own configuration") from None
        except (botocore.exceptions.BotoCoreError, ValueError) as error:
            raise ConfigError(f"AWS' client takes these settings not: {type(error).__name__}") from None

    def read(self, path: SecretPath) -> Secret:
        wanted = {"SecretId": path.name} | ({} if path.version is None else {"VersionId": path.version})
        try:
            answer: dict[str, Any] = self._client.get_secret_value(**wanted)
        except botocore.exceptions.ClientError as error:
            raise _in_our_words(path.name, error) from None
        except botocore.exceptions.NoCredentialsError:
            raise ConfigError("there are no credentials for AWS: see aws.access.key and aws.secret.key") from None
        except botocore.exceptions.ParamValidationError:
            raise ConfigError(f"{path.name} can be no secret of AWS, or {path.version} no version's id") from None
        except botocore.exceptions.BotoCoreError as error:
            raise SecretUnavailableError(f"AWS Secrets Manager cannot be reached: {type(error).__name__}") from None
        text = answer.get("SecretString")
        if text is None:
            try:
                text = answer.get("SecretBinary", b"").decode("utf-8")
            except UnicodeDecodeError:
                raise ConfigError(f"secret {path.name} is not UTF-8 text") from None
        return Secret(secret_of_text(text, f"secret {path.name}", self.config["use.json"]))

    def close(self) -> None:
        if hasattr(self, "_client"):
            self._client.close()


def _in_our_words(name: str, error: botocore.exceptions.ClientError) -> Exception:
    code = str(error.response.get("Error", {}).get("Code", "?"))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == "ResourceNotFoundException":
        return ConfigError(f"AWS Secrets Manager has no secret {name}, or not that version of it")
    if code in _PASSING or status >= 500:
        return SecretUnavailableError(f"AWS Secrets Manager cannot answer now: {code}")
    return ConfigError(f"AWS Secrets Manager does not give secret {name}: {code}")
