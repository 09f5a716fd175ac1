"""The stores for what must outlive a worker.

Source offsets in a file or a topic, by one interface; configurations and states of a cluster in topics. The modules whose
names end in ``_records`` know what records say and do no I/O; ``_store`` and `kafka_offsets` read and write topics.
"""

from penstock.storage.offsets import FileOffsetStore, MemoryOffsetStore, OffsetStore

__all__ = ["FileOffsetStore", "MemoryOffsetStore", "OffsetStore"]
