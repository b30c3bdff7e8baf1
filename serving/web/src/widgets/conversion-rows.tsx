/** How a conversion is a row of a table: its columns, the text it is searched by, and whether it has a touch of the selection. */
import { modelName } from "../data/attribution-queries";
import { toMs } from "../data/protobuf-time";
import { useChangeSearch, useDashboardState } from "../filters/search-state";
import { channelName } from "../figures/channels";
import { write, writeTime } from "../figures/format";
import type { AttributedConversion } from "../gen/tributary/v1/attribution_pb";
import { words } from "../language/words";
import type { Column } from "./data-table";
import { Path } from "./path";

export function useConversionRows() {
  const { model, channels, campaigns, timeZone } = useDashboardState();
  const change = useChangeSearch();
  const touchesOf = (conversion: AttributedConversion) => (conversion.models.find((each) => each.model === model) ?? conversion.models[0])?.touches ?? [];
  const isSelected = (conversion: AttributedConversion) => {
    const touches = touchesOf(conversion);
    return (
      (channels.length === 0 || touches.some(({ channel }) => channels.includes(channel))) &&
      (campaigns.length === 0 || touches.some(({ campaignId }) => campaigns.includes(campaignId)))
    );
  };
  const columns: Column<AttributedConversion>[] = [
    {
      id: "time",
      label: words.conversions.when,
      by: (row) => toMs(row.conversionTime),
      show: (row) => (
        <button type="button" className="cell-button" onClick={() => change({ conversion: row.conversionId })}>
          {writeTime(toMs(row.conversionTime) ?? 0, timeZone, "second")}
        </button>
      ),
    },
    { id: "type", label: words.conversions.type, by: (row) => row.conversionType, show: (row) => row.conversionType },
    {
      id: "value",
      label: words.conversions.value,
      numeric: true,
      by: (row) => Number(row.valueMicros),
      show: (row) => write(Number(row.valueMicros), "money", { currency: row.currency }),
    },
    { id: "path", label: words.conversions.path, by: (row) => touchesOf(row).length, show: (row) => <Path touches={touchesOf(row)} /> },
    {
      id: "winner",
      label: words.conversions.mostCredit(modelName(model)),
      by: (row) => strongest(touchesOf(row)),
      show: (row) => channelName(strongest(touchesOf(row))),
    },
  ];
  const text = (row: AttributedConversion) => `${row.conversionType} ${row.conversionId} ${touchesOf(row).map(({ channel, campaignId }) => `${channel} ${campaignId}`).join(" ")}`;
  return { touchesOf, isSelected, columns, text };
}

export function strongest(touches: { channel: string; weight: number }[]): string {
  return touches.reduce((best, touch) => (touch.weight > best.weight ? touch : best), { channel: "", weight: -1 }).channel;
}
