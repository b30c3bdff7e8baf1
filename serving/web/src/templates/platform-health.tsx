import { QuarantineGauge, QuarantineReasons, RecordCounts, Stages, Stores } from "../widgets/platform";
import { DataQuality } from "../widgets/data-quality";
import { AlertTimeline } from "../widgets/alert-timeline";
import { words } from "../language/words";
import { NotYet } from "../widgets/widget";
import { Grid } from "../widgets/grid";

export function PlatformHealth() {
  return (
    <Grid>
      <RecordCounts width={12} />
      <Stages width={4} />
      <Stores width={4} />
      <QuarantineGauge width={4} />
      <DataQuality width={6} />
      <QuarantineReasons width={6} />
      <AlertTimeline width={12} />
      <NotYet title={words.platform.throughput} width={12}>
        {words.platform.throughputText}
      </NotYet>
    </Grid>
  );
}
