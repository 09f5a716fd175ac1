"""The worker: connector and task threads, the source and sink loops, the chain of transforms and converters."""
