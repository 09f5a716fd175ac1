"""The plugins that core itself brings: the config providers, Kafka's and those for stores of secrets."""

from __future__ import annotations

from penstock.api import Plugin, hookimpl

_PROVIDERS = "org.apache.kafka.common.config.provider"
_CONFLUENT = "io.confluent.csid.config.provider"
#: The same providers by the author that Confluent's are made from.
_CUSTENBORDER = "com.github.jcustenborder.kafka.config"
_LENSES = "io.lenses.connect.secrets.providers"


@hookimpl
def penstock_register_config_providers() -> list[Plugin]:
    return [
        Plugin(
            "file",
            "penstock.config.providers:FileConfigProvider",
            (f"{_PROVIDERS}.FileConfigProvider",),
            "values from a properties file",
        ),
        Plugin(
            "directory",
            "penstock.config.providers:DirectoryConfigProvider",
            (f"{_PROVIDERS}.DirectoryConfigProvider",),
            "values from a directory with one file a key",
        ),
        Plugin(
            "env",
            "penstock.config.providers:EnvVarConfigProvider",
            (f"{_PROVIDERS}.EnvVarConfigProvider",),
            "values from environment variables",
        ),
        Plugin(
            "vault",
            "penstock.config.secrets.vault:VaultConfigProvider",
            (
                f"{_CONFLUENT}.vault.VaultConfigProvider",
                f"{_CUSTENBORDER}.vault.VaultConfigProvider",
                f"{_LENSES}.VaultSecretProvider",
            ),
            "values from HashiCorp Vault",
        ),
        Plugin(
            "aws-secrets",
            "penstock.config.secrets.aws:SecretsManagerConfigProvider",
            (
                f"{_CONFLUENT}.aws.SecretsManagerConfigProvider",
                f"{_CUSTENBORDER}.aws.SecretsManagerConfigProvider",
                f"{_LENSES}.AWSSecretProvider",
                "com.amazonaws.kafka.config.providers.SecretsManagerConfigProvider",
            ),
            "values from AWS Secrets Manager",
        ),
        Plugin(
            "gcp-secrets",
            "penstock.config.secrets.gcp:SecretManagerConfigProvider",
            (
                f"{_CONFLUENT}.gcloud.SecretManagerConfigProvider",
                f"{_CUSTENBORDER}.gcloud.SecretManagerConfigProvider",
            ),
            "values from Google Cloud's Secret Manager",
        ),
    ]
