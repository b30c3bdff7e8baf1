/** The clients of the services, over Connect, on the page's own origin. */
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { AlertService } from "../gen/tributary/v1/alerts_pb";
import { AttributionService } from "../gen/tributary/v1/attribution_pb";
import { CampaignMetricsService } from "../gen/tributary/v1/campaign_metrics_pb";
import { DashboardService } from "../gen/tributary/v1/dashboards_pb";
import { JourneyService } from "../gen/tributary/v1/journeys_pb";
import { QualityService } from "../gen/tributary/v1/quality_pb";

// Longer than the server's own limit for a query, so that its error arrives and not this one.
const TIMEOUT_MS = 15_000;

const transport = createConnectTransport({
  baseUrl: window.location.origin,
  useBinaryFormat: true,
  defaultTimeoutMs: TIMEOUT_MS,
});

export const campaigns = createClient(CampaignMetricsService, transport);
export const attribution = createClient(AttributionService, transport);
export const alerts = createClient(AlertService, transport);
export const dashboards = createClient(DashboardService, transport);
export const quality = createClient(QualityService, transport);
export const journeys = createClient(JourneyService, transport);

/** Options of a call that stays open. */
export const STREAMING = { timeoutMs: 0 };
