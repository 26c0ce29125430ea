"""Stage 1, ingestion: read feedback and telemetry from every configured source, and land them in the lake."""
