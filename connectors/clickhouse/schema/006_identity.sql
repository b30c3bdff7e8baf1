-- What links a tenant's customers: identifiers they carried, and other customers that are probably the same person.
CREATE TABLE IF NOT EXISTS identity_links
(
    tenant_id    LowCardinality(String),
    customer_id  String,
    kind         LowCardinality(String) COMMENT 'user_id, account_id, hashed_email, hashed_phone, device_id, cookie_id, hashed_ip; or customer_id: a probable link',
    value        String COMMENT 'the identifier; of a probable link the other customer',
    last_seen    Date COMMENT 'UTC day of the newest event with consent that carried it; of a probable link the day it was made',
    probability  Float64 COMMENT '1 where the link is certain; of a network 0, it links nobody by itself',
    removed      UInt8 COMMENT '1: expired, withdrawn, opted out or erased; such rows are not read with FINAL',
    revision     UInt64
)
ENGINE = ReplacingMergeTree(revision, removed)
ORDER BY (tenant_id, customer_id, kind, value)
TTL last_seen + INTERVAL 90 DAY;

-- The person of every customer that was ever linked with another. A customer without a row is a person alone.
CREATE TABLE IF NOT EXISTS person_customers
(
    tenant_id    LowCardinality(String),
    customer_id  String,
    person_id    String COMMENT 'smallest customer id of the person',
    revision     UInt64
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (tenant_id, customer_id);

-- Customers whose data up to a moment was erased: what must not come back by a replay.
CREATE TABLE IF NOT EXISTS erasures
(
    tenant_id    LowCardinality(String),
    customer_id  String,
    erased_at    DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(erased_at)
ORDER BY (tenant_id, customer_id);

-- A person's facts are read by customer, which the order of the events does not help with.
ALTER TABLE events ADD INDEX IF NOT EXISTS events_by_customer customer_id TYPE bloom_filter(0.01) GRANULARITY 1;
