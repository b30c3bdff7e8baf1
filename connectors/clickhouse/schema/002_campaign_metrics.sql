CREATE TABLE IF NOT EXISTS campaign_metrics
(
    tenant_id          LowCardinality(String),
    campaign_id        String,
    channel            LowCardinality(String),
    currency           LowCardinality(String),
    window_start       DateTime64(3, 'UTC'),
    window_end         DateTime64(3, 'UTC'),
    impressions        Int64,
    clicks             Int64,
    conversions        Int64,
    cost_micros        Int64,
    revenue_micros     Int64,
    events             UInt64,
    performance_score  Nullable(Float64),
    revision           UInt64 COMMENT '0: the stream; above: microseconds of the recomputation after late data'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMMDD(window_start)
ORDER BY (tenant_id, campaign_id, channel, currency, window_start)
TTL toDateTime(window_start) + INTERVAL 90 DAY;

CREATE TABLE IF NOT EXISTS campaign_rollups
(
    tenant_id          LowCardinality(String),
    grain              Enum8('minute' = 1, 'hour' = 2, 'day' = 3, 'week' = 4),
    campaign_id        String,
    channel            LowCardinality(String),
    currency           LowCardinality(String),
    bucket_start       DateTime64(3, 'UTC'),
    impressions        Int64,
    clicks             Int64,
    conversions        Int64,
    cost_micros        Int64,
    revenue_micros     Int64,
    events             UInt64,
    revision           UInt64
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY (grain, toYYYYMM(bucket_start))
ORDER BY (tenant_id, grain, campaign_id, channel, currency, bucket_start)
TTL toDateTime(bucket_start) + INTERVAL 90 DAY WHERE grain = 'minute',
    toDateTime(bucket_start) + INTERVAL 400 DAY WHERE grain = 'hour';
