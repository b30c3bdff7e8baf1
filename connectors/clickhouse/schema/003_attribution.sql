-- One row per conversion and model: a new revision replaces all of its credits at once, so no reader can see a mixture.
CREATE TABLE IF NOT EXISTS attribution_credits
(
    tenant_id                LowCardinality(String),
    conversion_time          DateTime64(3, 'UTC'),
    conversion_id            String,
    model                    LowCardinality(String),
    model_version            LowCardinality(String),
    conversion_type          LowCardinality(String),
    customer_id              String,
    journey_id               String,
    currency                 LowCardinality(String),
    gross_value_micros       Int64,
    value_micros             Int64 COMMENT 'net of refunds; equals the sum of touches.credited_micros',
    `touches.touchpoint_id`  Array(String),
    `touches.channel`        Array(LowCardinality(String)),
    `touches.campaign_id`    Array(String),
    `touches.time`           Array(DateTime64(3, 'UTC')),
    `touches.weight`         Array(Float64),
    `touches.credited_micros` Array(Int64),
    attributed_at            DateTime64(3, 'UTC'),
    revision                 UInt64
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(conversion_time)
ORDER BY (tenant_id, conversion_time, conversion_id, model)
TTL toDateTime(conversion_time) + INTERVAL 400 DAY;

CREATE TABLE IF NOT EXISTS journeys
(
    tenant_id        LowCardinality(String),
    journey_id       String,
    customer_id      String,
    stage            LowCardinality(String),
    started_at       DateTime64(3, 'UTC'),
    last_event_at    DateTime64(3, 'UTC'),
    touchpoints      UInt32,
    conversions      UInt32,
    value_micros     Int64 COMMENT 'gross value of the conversions, in the currency of the newest one',
    currency         LowCardinality(String),
    revision         UInt64
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (tenant_id, customer_id, journey_id)
TTL toDateTime(last_event_at) + INTERVAL 400 DAY;
