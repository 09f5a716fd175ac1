"""The interfaces that plugins implement, and the objects they are given. Import from here.

::

    from penstock.api import Plugin, hookimpl

    @hookimpl
    def penstock_register_converters():
        return [Plugin("greeter", "penstock_acme.greeter:GreeterConverter", aliases=("com.acme.GreeterConverter",))]

and in the distribution's ``pyproject.toml``::

    [project.entry-points.penstock]
    penstock_acme = "penstock_acme.plugin"
"""

import pluggy

from penstock.api.connector import (
    Connector,
    ConnectorContext,
    ConnectorTransactionBoundaries,
    ErrantRecordReporter,
    ExactlyOnceSupport,
    OffsetStorageReader,
    RecordMetadata,
    SinkConnector,
    SinkTask,
    SinkTaskContext,
    SourceConnector,
    SourceTask,
    SourceTaskContext,
    Task,
    TopicPartition,
    TransactionContext,
)
from penstock.api.converter import (
    Converter,
    Deserializer,
    FixedReader,
    HeaderConverter,
    Serializer,
    fixed_reader,
    of_one_schema,
)
from penstock.api.metrics import Counter, MetricName, PluginMetrics, Sensor, Stat
from penstock.api.plugin import ConnectPlugin, Plugin, Versioned
from penstock.api.registry import (
    HasFields,
    HasMeasurements,
    HasSummary,
    InvalidSchemaError,
    KnowsLenience,
    ParsedSchema,
    SchemaFormat,
    SchemaReference,
    Service,
)
from penstock.api.transform import (
    LEFT_TO_APPLY,
    NOTHING,
    WHOLE_RECORD,
    BoundPredicate,
    BoundTransform,
    InPlace,
    NewPart,
    Predicate,
    Shape,
    Transform,
    apply_bound,
)
from penstock.config.provider import ConfigData, ConfigProvider
from penstock.data.nanos import NanoDatetime

#: Marks a function as penstock's hook; the hooks are listed in `penstock.plugins.hookspecs`.
hookimpl = pluggy.HookimplMarker("penstock")

__all__ = [
    "LEFT_TO_APPLY",
    "NOTHING",
    "WHOLE_RECORD",
    "BoundPredicate",
    "BoundTransform",
    "ConfigData",
    "ConfigProvider",
    "ConnectPlugin",
    "Connector",
    "ConnectorContext",
    "ConnectorTransactionBoundaries",
    "Converter",
    "Counter",
    "Deserializer",
    "ErrantRecordReporter",
    "ExactlyOnceSupport",
    "FixedReader",
    "HasFields",
    "HasMeasurements",
    "HasSummary",
    "HeaderConverter",
    "InPlace",
    "InvalidSchemaError",
    "KnowsLenience",
    "MetricName",
    "NanoDatetime",
    "NewPart",
    "OffsetStorageReader",
    "ParsedSchema",
    "Plugin",
    "PluginMetrics",
    "Predicate",
    "RecordMetadata",
    "SchemaFormat",
    "SchemaReference",
    "Sensor",
    "Serializer",
    "Service",
    "Shape",
    "SinkConnector",
    "SinkTask",
    "SinkTaskContext",
    "SourceConnector",
    "SourceTask",
    "SourceTaskContext",
    "Stat",
    "Task",
    "TopicPartition",
    "TransactionContext",
    "Transform",
    "Versioned",
    "apply_bound",
    "fixed_reader",
    "hookimpl",
    "of_one_schema",
]
