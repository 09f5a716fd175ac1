"""OpenTelemetry: metrics and spans to a collector, by OTLP over HTTP. The extra ``otel``; nothing of it is imported before it is on."""
