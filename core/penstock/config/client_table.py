"""The settings of Kafka's own clients (``ProducerConfig``, ``ConsumerConfig``, ``AdminClientConfig`` of Kafka 4.4).

One a line: name, type, default (``required``, ``null``, or ``=`` and its text), what is valid, importance, and which
clients have it: Producer, Consumer, Admin.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CLIENT_TABLE"]

CLIENT_TABLE: Final = """
bootstrap.servers|list|required||high|PC
bootstrap.servers|list|=||high|A
client.dns.lookup|string|=use_all_dns_ips|[use_all_dns_ips, resolve_canonical_bootstrap_servers_only]|medium|PCA
buffer.memory|long|=33554432|[0,...]|high|P
retries|int|=2147483647|[0,...,2147483647]|high|P
retries|int|=2147483647|[0,...,2147483647]|low|A
acks|string|=all|[all, -1, 0, 1]|low|P
compression.type|string|=none|[none, gzip, snappy, lz4, zstd]|high|P
compression.gzip.level|int|=-1|[1,...,9] or -1|medium|P
compression.lz4.level|int|=9|[1,...,17]|medium|P
compression.zstd.level|int|=3|[-131072,...,22]|medium|P
batch.size|int|=16384|[0,...]|medium|P
partitioner.adaptive.partitioning.enable|boolean|=true||low|P
partitioner.availability.timeout.ms|long|=0|[0,...]|low|P
partitioner.ignore.keys|boolean|=false||medium|P
partitioner.rack.aware|boolean|=false||low|P
linger.ms|long|=5|[0,...]|medium|P
delivery.timeout.ms|int|=120000|[0,...]|medium|P
client.id|string|=||medium|PA
client.id|string|=||low|C
client.rack|string|=||low|PC
send.buffer.bytes|int|=131072|[-1,...]|medium|PCA
receive.buffer.bytes|int|=32768|[-1,...]|medium|P
receive.buffer.bytes|int|=65536|[-1,...]|medium|CA
max.request.size|int|=1048576|[0,...]|medium|P
reconnect.backoff.ms|long|=50|[0,...]|low|PCA
reconnect.backoff.max.ms|long|=1000|[0,...]|low|PCA
retry.backoff.ms|long|=100|[0,...]|low|PCA
retry.backoff.max.ms|long|=1000|[0,...]|low|PCA
bootstrap.resolve.timeout.ms|long|=0|[0,...]|high|PCA
enable.metrics.push|boolean|=true||low|PC
enable.metrics.push|boolean|=false||low|A
max.block.ms|long|=60000|[0,...]|medium|P
request.timeout.ms|int|=30000|[0,...]|medium|PCA
metadata.max.age.ms|long|=300000|[0,...]|low|PCA
metadata.max.idle.ms|long|=300000|[5000,...]|low|P
metrics.sample.window.ms|long|=30000|[0,...]|low|PCA
metrics.num.samples|int|=2|[1,...]|low|PCA
metrics.recording.level|string|=INFO|[INFO, DEBUG, TRACE]|low|PCA
metric.reporters|list|=org.apache.kafka.common.metrics.JmxReporter||low|PCA
max.in.flight.requests.per.connection|int|=5|[1,...]|low|P
key.serializer|class|required||high|P
value.serializer|class|required||high|P
socket.connection.setup.timeout.ms|long|=10000||medium|PCA
socket.connection.setup.timeout.max.ms|long|=30000||medium|PCA
connections.max.idle.ms|long|=540000||medium|PC
connections.max.idle.ms|long|=300000||medium|A
partitioner.class|class|null||medium|P
interceptor.classes|list|=||low|PC
security.protocol|string|=PLAINTEXT|(case insensitive) [SASL_SSL, PLAINTEXT, SSL, SASL_PLAINTEXT]|medium|PCA
security.providers|string|null||low|PCA
ssl.protocol|string|=TLSv1.3||medium|PCA
ssl.provider|string|null||medium|PCA
ssl.cipher.suites|list|=||low|PCA
ssl.enabled.protocols|list|=TLSv1.2,TLSv1.3||medium|PCA
ssl.keystore.type|string|=JKS||medium|PCA
ssl.keystore.location|string|null||high|PCA
ssl.keystore.password|password|null||high|PCA
ssl.key.password|password|null||high|PCA
ssl.keystore.key|password|null||high|PCA
ssl.keystore.certificate.chain|password|null||high|PCA
ssl.truststore.certificates|password|null||high|PCA
ssl.truststore.type|string|=JKS||medium|PCA
ssl.truststore.location|string|null||high|PCA
ssl.truststore.password|password|null||high|PCA
ssl.keymanager.algorithm|string|=SunX509||low|PCA
ssl.trustmanager.algorithm|string|=PKIX||low|PCA
ssl.endpoint.identification.algorithm|string|=https||low|PCA
ssl.secure.random.implementation|string|null||low|PCA
ssl.engine.factory.class|class|null||low|PCA
sasl.kerberos.service.name|string|null||medium|PCA
sasl.kerberos.kinit.cmd|string|=/usr/bin/kinit||low|PCA
sasl.kerberos.ticket.renew.window.factor|double|=0.8||low|PCA
sasl.kerberos.ticket.renew.jitter|double|=0.05||low|PCA
sasl.kerberos.min.time.before.relogin|long|=60000||low|PCA
sasl.login.refresh.window.factor|double|=0.8|[0.5,...,1.0]|low|PCA
sasl.login.refresh.window.jitter|double|=0.05|[0.0,...,0.25]|low|PCA
sasl.login.refresh.min.period.seconds|short|=60|[0,...,900]|low|PCA
sasl.login.refresh.buffer.seconds|short|=300|[0,...,3600]|low|PCA
sasl.mechanism|string|=GSSAPI||medium|PCA
sasl.jaas.config|password|null||medium|PCA
sasl.client.callback.handler.class|class|null||medium|PCA
sasl.login.callback.handler.class|class|null||medium|PCA
sasl.login.class|class|null||medium|PCA
sasl.login.connect.timeout.ms|int|null||low|PCA
sasl.login.read.timeout.ms|int|null||low|PCA
sasl.login.retry.backoff.max.ms|long|=10000||low|PCA
sasl.login.retry.backoff.ms|long|=100||low|PCA
sasl.oauthbearer.jwt.retriever.class|class|=org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever||medium|PCA
sasl.oauthbearer.jwt.validator.class|class|=org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator||medium|PCA
sasl.oauthbearer.scope|string|null||medium|PCA
sasl.oauthbearer.client.credentials.client.id|string|null||medium|PCA
sasl.oauthbearer.client.credentials.client.secret|password|null||medium|PCA
sasl.oauthbearer.assertion.algorithm|string|=RS256|(case insensitive) [ES256, RS256]|medium|PCA
sasl.oauthbearer.assertion.claim.aud|string|null||medium|PCA
sasl.oauthbearer.assertion.claim.exp.seconds|int|=300|[0,...,86400]|low|PCA
sasl.oauthbearer.assertion.claim.iss|string|null||medium|PCA
sasl.oauthbearer.assertion.claim.jti.include|boolean|=false||medium|PCA
sasl.oauthbearer.assertion.claim.nbf.seconds|int|=60|[0,...,3600]|low|PCA
sasl.oauthbearer.assertion.claim.sub|string|null||medium|PCA
sasl.oauthbearer.assertion.file|string|null||medium|PCA
sasl.oauthbearer.assertion.private.key.file|string|null||medium|PCA
sasl.oauthbearer.assertion.private.key.passphrase|password|null||medium|PCA
sasl.oauthbearer.assertion.template.file|string|null||medium|PCA
sasl.oauthbearer.scope.claim.name|string|=scope||low|PCA
sasl.oauthbearer.sub.claim.name|string|=sub||low|PCA
sasl.oauthbearer.token.endpoint.url|string|null||medium|PCA
sasl.oauthbearer.jwks.endpoint.url|string|null||medium|PCA
sasl.oauthbearer.jwks.endpoint.refresh.ms|long|=3600000||low|PCA
sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms|long|=10000||low|PCA
sasl.oauthbearer.jwks.endpoint.retry.backoff.ms|long|=100||low|PCA
sasl.oauthbearer.clock.skew.seconds|int|=30||low|PCA
sasl.oauthbearer.allow.unverified.audience|boolean|=false||medium|PCA
sasl.oauthbearer.expected.audience|list|=||high|PCA
sasl.oauthbearer.allow.unverified.issuer|boolean|=false||medium|PCA
sasl.oauthbearer.expected.issuer|string|null||high|PCA
sasl.oauthbearer.header.urlencode|boolean|=false||low|PCA
enable.idempotence|boolean|=true||low|P
transaction.timeout.ms|int|=60000||low|P
transactional.id|string|null|non-empty string|low|P
transaction.two.phase.commit.enable|boolean|=false||low|P
metadata.recovery.strategy|string|=rebootstrap|(case insensitive) [REBOOTSTRAP, NONE]|low|PCA
metadata.recovery.rebootstrap.trigger.ms|long|=300000|[0,...]|low|PCA
metadata.cluster.check.enable|boolean|=true||low|PCA
config.providers|list|=||low|PCA
group.id|string|null||high|C
group.instance.id|string|null|non-empty string|medium|C
session.timeout.ms|int|=45000||high|C
heartbeat.interval.ms|int|=3000||high|C
partition.assignment.strategy|list|=class org.apache.kafka.clients.consumer.RangeAssignor,class org.apache.kafka.clients.consumer.CooperativeStickyAssignor||medium|C
enable.auto.commit|boolean|=true||medium|C
auto.commit.interval.ms|int|=5000|[0,...]|low|C
max.partition.fetch.bytes|int|=1048576|[0,...]|high|C
fetch.min.bytes|int|=1|[0,...]|high|C
fetch.max.bytes|int|=52428800|[0,...]|medium|C
fetch.max.wait.ms|int|=500|[0,...]|low|C
auto.offset.reset|string|=latest|[latest, earliest, none, by_duration:PnDTnHnMn.nS]|medium|C
check.crcs|boolean|=true||low|C
key.deserializer|class|required||high|C
value.deserializer|class|required||high|C
default.api.timeout.ms|int|=60000|[0,...]|medium|CA
max.poll.records|int|=500|[1,...]|medium|C
max.poll.interval.ms|int|=300000|[1,...]|medium|C
exclude.internal.topics|boolean|=true||medium|C
isolation.level|string|=read_uncommitted|[read_committed, read_uncommitted]|medium|C
allow.auto.create.topics|boolean|=true||medium|C
group.protocol|string|=classic|(case insensitive) [CONSUMER, CLASSIC]|high|C
group.remote.assignor|string|null||medium|C
share.acknowledgement.mode|string|=implicit|[implicit, explicit]|medium|C
share.acquire.mode|string|=BATCH_OPTIMIZED|[batch_optimized, record_limit]|medium|C
bootstrap.controllers|list|=||high|A
"""
