"""Tools for tests of plugins: fakes of what the worker gives them, a real broker, and suites that every plugin should pass."""
