import { QuarantineGauge, QuarantineReasons, RecordCounts, Stages, Stores } from "../widgets/platform";
import { AlertTimeline } from "../widgets/alert-timeline";
import { NotYet } from "../widgets/widget";

export function PlatformHealth() {
  return (
    <div className="grid">
      <RecordCounts width={12} />
      <Stages width={4} />
      <Stores width={4} />
      <QuarantineGauge width={4} />
      <QuarantineReasons width={6} />
      <AlertTimeline width={6} />
      <NotYet title="Throughput, lag and latency" width={12}>
        These are measured and served to Prometheus at /metrics, but no service answers them to this page yet.
      </NotYet>
    </div>
  );
}
