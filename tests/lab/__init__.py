"""The laboratory: recordings, JVM peers, load and worker processes that penstock's own tests and benchmarks use. It is not part of the wheel."""
