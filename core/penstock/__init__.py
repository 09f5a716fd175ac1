"""penstock: Kafka Connect and a Confluent-compatible Schema Registry in one Python package.

Plugin authors import from `penstock.api`, `penstock.data`, `penstock.config` and `penstock.errors`; everything else
is the worker's own and may change.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("penstock")
except PackageNotFoundError:  # a source tree on sys.path that was never installed
    __version__ = "0+unknown"

#: The Kafka release whose behaviour, class names and configuration penstock follows.
KAFKA_VERSION = "4.4.0"

__all__ = ["KAFKA_VERSION", "__version__"]
