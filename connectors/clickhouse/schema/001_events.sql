-- The event store: one row per accepted event. `version` is larger for an earlier arrival, so that the first copy of an event wins, as in the stream.
CREATE TABLE IF NOT EXISTS events
(
    tenant_id          LowCardinality(String),
    event_time         DateTime64(3, 'UTC'),
    event_id           String,
    event_type         LowCardinality(String),
    received_at        DateTime64(3, 'UTC') COMMENT 'broker append time',
    created_at         DateTime64(3, 'UTC') COMMENT 'producer time, epoch when unknown',
    source_platform    LowCardinality(String),
    customer_id        String,
    journey_id         String,
    campaign_id        String,
    channel            LowCardinality(String),
    kind               LowCardinality(String) COMMENT 'report, increment (campaign); conversion, refund, cancellation (conversion_event)',
    impressions        Int64,
    clicks             Int64,
    conversions        Int64,
    cost_micros        Int64,
    revenue_micros     Int64,
    value_micros       Int64,
    currency           LowCardinality(String),
    schema_id          UInt32,
    payload            String COMMENT 'the whole record as JSON, personal data hashed' CODEC(ZSTD(1)),
    source_partition   Int32,
    source_offset      Int64,
    version            UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(event_time)
ORDER BY (tenant_id, event_time, event_id)
TTL toDateTime(event_time) + INTERVAL 400 DAY;
