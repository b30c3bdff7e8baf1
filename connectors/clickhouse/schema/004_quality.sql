CREATE TABLE IF NOT EXISTS quarantine
(
    tenant_id         LowCardinality(String) COMMENT 'from the record, else from the message key, else empty',
    source_topic      LowCardinality(String),
    source_partition  Int32,
    source_offset     Int64,
    received_at       DateTime64(3, 'UTC'),
    reasons           Array(LowCardinality(String)),
    event_id          String,
    event_type        LowCardinality(String),
    schema_id         UInt32,
    raw               String COMMENT 'the message as it came' CODEC(ZSTD(3)),
    status            LowCardinality(String) COMMENT 'quarantined, redriven, discarded',
    status_at         DateTime64(3, 'UTC'),
    version           UInt64 COMMENT '0 as quarantined; milliseconds of the status change after that'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(received_at)
ORDER BY (tenant_id, source_topic, source_partition, source_offset)
TTL toDateTime(received_at) + INTERVAL 90 DAY;

CREATE TABLE IF NOT EXISTS late_events
(
    tenant_id    LowCardinality(String),
    event_time   DateTime64(3, 'UTC'),
    event_id     String,
    event_type   LowCardinality(String),
    received_at  DateTime64(3, 'UTC'),
    lateness_ms  Int64 COMMENT 'append time minus event time'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (tenant_id, event_time, event_id)
TTL toDateTime(event_time) + INTERVAL 400 DAY;

-- Tallies by broker append time: absolute counts per window, so that every record produced can be accounted for.
CREATE TABLE IF NOT EXISTS ingest_counts
(
    tenant_id     LowCardinality(String),
    window_start  DateTime64(3, 'UTC'),
    outcome       LowCardinality(String) COMMENT 'valid, quarantined (by reason set), accepted',
    reasons       LowCardinality(String) COMMENT 'comma-separated reason codes of quarantined records, else empty',
    events        UInt64
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(window_start)
ORDER BY (tenant_id, window_start, outcome, reasons)
TTL toDateTime(window_start) + INTERVAL 400 DAY;
