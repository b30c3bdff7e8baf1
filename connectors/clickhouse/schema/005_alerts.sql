CREATE TABLE IF NOT EXISTS alerts
(
    tenant_id    LowCardinality(String),
    alert_id     String COMMENT 'hash of tenant, rule, subject and opening time: the same in a replay',
    rule         LowCardinality(String),
    severity     LowCardinality(String),
    state        LowCardinality(String) COMMENT 'raised, cleared',
    campaign_id  String,
    channel      LowCardinality(String),
    metric       LowCardinality(String),
    value        Float64,
    threshold    Float64,
    opened_at    DateTime64(3, 'UTC'),
    updated_at   DateTime64(3, 'UTC'),
    message      String,
    version      UInt64 COMMENT 'event time of the newest change, in milliseconds'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant_id, alert_id)
TTL toDateTime(updated_at) + INTERVAL 400 DAY;

CREATE TABLE IF NOT EXISTS anomalies
(
    tenant_id     LowCardinality(String),
    campaign_id   String,
    channel       LowCardinality(String),
    currency      LowCardinality(String),
    metric        LowCardinality(String),
    bucket_start  DateTime64(3, 'UTC'),
    value         Float64,
    expected      Float64,
    deviations    Float64 COMMENT 'distance from the seasonal baseline in standard deviations',
    version       UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant_id, bucket_start, campaign_id, channel, currency, metric)
TTL toDateTime(bucket_start) + INTERVAL 400 DAY;

CREATE TABLE IF NOT EXISTS campaigns
(
    tenant_id      LowCardinality(String),
    campaign_id    String,
    name           String,
    channel        LowCardinality(String),
    currency       LowCardinality(String),
    budget_micros  Int64,
    launched_at    DateTime64(3, 'UTC'),
    version        UInt64 COMMENT 'event time of the launch, in milliseconds'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant_id, campaign_id);
