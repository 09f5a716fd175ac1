"""Settings of every worker (``WorkerConfig``, ``RestServerConfig``, ``StandaloneConfig``)."""

from __future__ import annotations

from typing import Final

from penstock.config.definition import NO_DEFAULT, ConfigType
from penstock.config.table.checks import ADMIN_LISTENERS, LISTENERS, RESPONSE_HEADERS
from penstock.config.table.row import HIGH, LOW, MEDIUM, Row, ignored, used
from penstock.config.validators import Range

__all__ = ["CONNECT_ROWS"]

_T = ConfigType

CONNECT_ROWS: Final[tuple[Row, ...]] = (
    used("key.converter", _T.CLASS, NO_DEFAULT, HIGH,
         "Converter of record keys, for connectors that name none. Its own settings follow under `key.converter.`."),
    used("value.converter", _T.CLASS, NO_DEFAULT, HIGH,
         "Converter of record values, for connectors that name none. Its own settings follow under `value.converter.`."),
    used("header.converter", _T.CLASS, "org.apache.kafka.connect.storage.SimpleHeaderConverter", LOW,
         "Converter of record headers, for connectors that name none. Its own settings follow under `header.converter.`."),
    ignored("key.converter.plugin.version", _T.STRING, None, "One version of a plugin is installed at a time."),
    ignored("value.converter.plugin.version", _T.STRING, None, "One version of a plugin is installed at a time."),
    ignored("header.converter.plugin.version", _T.STRING, None, "One version of a plugin is installed at a time."),
    used("offset.storage.file.filename", _T.STRING, NO_DEFAULT, HIGH,
         "Where a standalone worker keeps the offsets of its source connectors.", mode="standalone"),
    used("offset.flush.interval.ms", _T.LONG, 60000, LOW, "How often tasks commit their offsets."),
    used("offset.flush.timeout.ms", _T.LONG, 5000, LOW,
         "How long the last commit of a source task waits for records on their way; records that wait longer for Kafka are named in the log."),
    used("task.shutdown.graceful.timeout.ms", _T.LONG, 5000, LOW,
         "How long all tasks together may take to stop before they are abandoned."),
    used("listeners", _T.LIST, "http://:8083", LOW, "Where the REST API listens.", LISTENERS),
    used("admin.listeners", _T.LIST, None, LOW,
         "Where the `/admin` endpoints listen; without it they are served with the rest, empty switches them off.",
         ADMIN_LISTENERS),
    used("rest.advertised.listener", _T.STRING, None, LOW, "Which protocol, http or https, other workers are told to use."),
    used("rest.advertised.host.name", _T.STRING, None, LOW, "The host name other workers and users are told to use."),
    used("rest.advertised.port", _T.INT, None, LOW, "The port other workers and users are told to use."),
    used("access.control.allow.origin", _T.STRING, "", LOW,
         "Web pages of which origin may call the REST API; `*` for all, empty for none."),
    used("access.control.allow.methods", _T.STRING, "", LOW,
         "The methods such pages may use; empty for GET, POST and HEAD."),
    used("response.http.headers.config", _T.STRING, "", LOW,
         "Headers to add to every REST response: rules `set|add|setDate|addDate NAME:VALUE`, separated by commas.",
         RESPONSE_HEADERS),
    used("rest.extension.classes", _T.LIST, "", LOW,
         "Kafka's `BasicAuthSecurityRestExtension` stands for `authentication.method=BASIC`; other Java extensions are refused."),
    used("authentication.method", _T.STRING, "NONE", LOW,
         "Who may use the REST API: `NONE` lets everybody, `BASIC` and `BEARER` (or both, with a comma) ask for users."),
    used("authentication.basic.users.file", _T.STRING, None, LOW,
         "The users: lines of `USER:BCRYPT:ROLE,...`; see docs/rest.md."),
    used("authentication.realm", _T.STRING, "connect", LOW, "What a browser shows when it asks for the password."),
    used("authentication.skip.paths", _T.LIST, "", LOW, "Paths that need no user, with all below them, such as `/health`."),
    used("oauthbearer.jwks.endpoint.url", _T.STRING, None, LOW, "Where the keys are that sign bearer tokens: a URL or a file."),
    used("oauthbearer.expected.issuer", _T.STRING, None, LOW, "The issuer that tokens must name."),
    used("oauthbearer.expected.audience", _T.LIST, "", LOW, "Audiences of which tokens must name one."),
    used("oauthbearer.sub.claim.name", _T.STRING, "sub", LOW, "The claim with the user's name."),
    used("oauthbearer.roles.claim.name", _T.STRING, "roles", LOW, "The claim with the user's roles."),
    used("oauthbearer.clock.skew.seconds", _T.INT, 30, LOW, "By how much clocks may differ.", Range.at_least(0)),
    used("oauthbearer.jwks.refresh.ms", _T.LONG, 3600000, LOW, "After what time the keys are fetched anew.",
         Range.at_least(0)),
    used("config.providers", _T.LIST, "", LOW,
         "Names of config providers; each has a class under `config.providers.NAME.class` and its settings under "
         "`config.providers.NAME.param.`."),
    used("connector.client.config.override.policy", _T.STRING, "All", MEDIUM,
         "Which client settings a connector may override: `All`, `None`, `Principal`, `Allowlist`."),
    used("connector.client.config.override.allowlist", _T.LIST, "", MEDIUM,
         "The client settings a connector may override under the policy `Allowlist`."),
    used("topic.creation.enable", _T.BOOLEAN, True, LOW,
         "Create the topics of source connectors that ask for it with `topic.creation.*`."),
    used("topic.tracking.enable", _T.BOOLEAN, True, LOW, "Remember which topics each connector used."),
    used("topic.tracking.allow.reset", _T.BOOLEAN, True, LOW, "Let users have that memory cleared over REST."),
    ignored("plugin.path", _T.LIST, None, "Plugins are installed with pip, or named under [paths] in plugins.toml."),
    ignored("plugin.discovery", _T.STRING, "hybrid_warn", "Plugins are found by their entry points."),
    ignored("metric.reporters", _T.LIST, "org.apache.kafka.common.metrics.JmxReporter",
            "Java classes cannot be loaded here."),
    ignored("metrics.recording.level", _T.STRING, "INFO", "All metrics are recorded."),
    used("metrics.num.samples", _T.INT, 2, LOW,
         "How many samples count for averages, maxima and rates of metrics.", Range.at_least(1)),
    used("metrics.sample.window.ms", _T.LONG, 30000, LOW,
         "How long a sample of a metric is collected.", Range.at_least(0)),
)  # fmt: skip
