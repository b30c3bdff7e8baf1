-- Time stands before the campaign in both keys from here on: every reader asks for a range of time, of all campaigns or of some. The other way round, an
-- hour of a hundred campaigns was read through a month of each.
-- A key cannot be changed: each table is made anew, filled, and changes places with the old one. What a running job wrote into the old one meanwhile is copied
-- after that; a row that is copied twice replaces itself. What an interrupted attempt has left is dropped first.
DROP TABLE IF EXISTS campaign_metrics_by_time;

CREATE TABLE IF NOT EXISTS campaign_metrics_by_time AS campaign_metrics
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMMDD(window_start)
ORDER BY (tenant_id, window_start, campaign_id, channel, currency)
TTL toDateTime(window_start) + INTERVAL 90 DAY;

INSERT INTO campaign_metrics_by_time SELECT * FROM campaign_metrics SETTINGS max_partitions_per_insert_block = 0;

EXCHANGE TABLES campaign_metrics AND campaign_metrics_by_time;

INSERT INTO campaign_metrics SELECT * FROM campaign_metrics_by_time SETTINGS max_partitions_per_insert_block = 0;

DROP TABLE IF EXISTS campaign_metrics_by_time;

DROP TABLE IF EXISTS campaign_rollups_by_time;

CREATE TABLE IF NOT EXISTS campaign_rollups_by_time AS campaign_rollups
ENGINE = ReplacingMergeTree(revision)
PARTITION BY (grain, toYYYYMM(bucket_start))
ORDER BY (tenant_id, grain, bucket_start, campaign_id, channel, currency)
TTL toDateTime(bucket_start) + INTERVAL 90 DAY WHERE grain = 'minute',
    toDateTime(bucket_start) + INTERVAL 400 DAY WHERE grain = 'hour';

INSERT INTO campaign_rollups_by_time SELECT * FROM campaign_rollups SETTINGS max_partitions_per_insert_block = 0;

EXCHANGE TABLES campaign_rollups AND campaign_rollups_by_time;

INSERT INTO campaign_rollups SELECT * FROM campaign_rollups_by_time SETTINGS max_partitions_per_insert_block = 0;

DROP TABLE IF EXISTS campaign_rollups_by_time;
