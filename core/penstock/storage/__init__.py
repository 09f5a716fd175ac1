"""Where a worker keeps what must outlive it: source offsets now, in a file; the interface is the same for topics."""

from penstock.storage.offsets import FileOffsetStore, MemoryOffsetStore, OffsetStore

__all__ = ["FileOffsetStore", "MemoryOffsetStore", "OffsetStore"]
