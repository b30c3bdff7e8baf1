-- Revisions of credits that newer ones have replaced, kept as long as the credits themselves. The newest revision of each is in attribution_credits, so most conversions,
-- which are credited once, have no row here. A replay may write a revision again: of equal keys the row that was written first is kept, as readers saw it.
CREATE TABLE IF NOT EXISTS credit_revisions
(
    tenant_id                LowCardinality(String),
    conversion_time          DateTime64(3, 'UTC'),
    conversion_id            String,
    model                    LowCardinality(String),
    revision                 UInt64,
    model_version            LowCardinality(String),
    settings_version         UInt32,
    customer_id              String,
    value_micros             Int64 COMMENT 'net of refunds; equals the sum of touches.credited_micros',
    `touches.touchpoint_id`  Array(String),
    `touches.channel`        Array(LowCardinality(String)),
    `touches.campaign_id`    Array(String),
    `touches.time`           Array(DateTime64(3, 'UTC')),
    `touches.weight`         Array(Float64),
    `touches.credited_micros` Array(Int64),
    replaced_at              DateTime64(3, 'UTC'),
    version                  UInt64 COMMENT 'larger for an earlier replaced_at'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(conversion_time)
ORDER BY (tenant_id, conversion_time, conversion_id, model, revision)
TTL toDateTime(conversion_time) + INTERVAL 400 DAY;

-- Whoever writes a newer revision sends the one that it replaces along. To attribution_credits that is an old revision of a key, which changes no answer.
ALTER TABLE attribution_credits ADD COLUMN IF NOT EXISTS superseded UInt8 DEFAULT 0 COMMENT '1: a replaced revision, for credit_revisions; attributed_at says when';

-- It copies rows and adds nothing up, so an insert that is repeated changes nothing.
CREATE MATERIALIZED VIEW IF NOT EXISTS credit_revisions_written TO credit_revisions AS
SELECT tenant_id, conversion_time, conversion_id, model, revision, model_version, settings_version, customer_id, value_micros, touches.touchpoint_id, touches.channel,
       touches.campaign_id, touches.time, touches.weight, touches.credited_micros, attributed_at AS replaced_at, bitNot(toUInt64(toUnixTimestamp64Milli(attributed_at))) AS version
FROM attribution_credits WHERE superseded = 1;
