-- Credits say which settings they were made under; model_version, of trained models only, is there since 003.
ALTER TABLE attribution_credits ADD COLUMN IF NOT EXISTS settings_version UInt32 DEFAULT 0 COMMENT '0: the job''s own settings';

-- Trained attribution models, published or refused, with what they were trained on and how they were judged.
CREATE TABLE IF NOT EXISTS attribution_models
(
    tenant_id            LowCardinality(String),
    model_version        String,
    conversion_type      String COMMENT 'empty: all types',
    kind                 LowCardinality(String) COMMENT 'markov, shapley_conversions, shapley_rate, hazard',
    chain_order          UInt8 COMMENT 'of a Markov chain, else 0',
    trained_at           DateTime64(3, 'UTC'),
    in_force_from        DateTime64(3, 'UTC'),
    published            UInt8 COMMENT '0: refused or a trial',
    verdict              String COMMENT 'why it was published or not',
    transforms           Array(String),
    effects              Map(String, Float64) COMMENT 'by channel; a negative one earns no credit',
    standard_errors      Map(String, Float64) COMMENT 'of estimated effects, else empty',
    trained_from         DateTime64(3, 'UTC'),
    trained_until        DateTime64(3, 'UTC'),
    journeys             UInt64 COMMENT 'trained on',
    conversions          UInt64,
    held_out_journeys    UInt64,
    auc                  Float64 COMMENT 'on held-out journeys',
    auc_error            Float64,
    brier                Float64,
    attainable_auc       Float64 COMMENT 'of the hazard model, fitted to the same journeys',
    reliability          Array(Tuple(journeys Float64, predicted Float64, observed Float64)),
    channel_touches      Map(String, Float64) COMMENT 'what drift is measured against',
    path_lengths         Map(String, Float64)
)
ENGINE = ReplacingMergeTree(trained_at)
ORDER BY (tenant_id, model_version);

-- How far the paths of a time are from those that the model in force was trained on.
CREATE TABLE IF NOT EXISTS attribution_drift
(
    tenant_id      LowCardinality(String),
    model_version  String,
    measured_at    DateTime64(3, 'UTC'),
    since          DateTime64(3, 'UTC'),
    until          DateTime64(3, 'UTC'),
    journeys       UInt64,
    channel_psi    Float64 COMMENT 'population stability index of touches by channel',
    length_psi     Float64 COMMENT 'the same of journeys by path length'
)
ENGINE = ReplacingMergeTree(measured_at)
ORDER BY (tenant_id, model_version, since, until)
TTL toDateTime(measured_at) + INTERVAL 400 DAY;
