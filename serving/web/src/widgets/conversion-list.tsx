/** The conversions of the range, page by page, each opening its explanation. */
import type { UseQueryResult } from "@tanstack/react-query";
import { Button } from "react-aria-components/Button";
import { modelName } from "../data/attribution-queries";
import type { Answer } from "../data/campaign-queries";
import { useConversions } from "../data/conversion-queries";
import { toMs } from "../data/protobuf-time";
import type { AttributedConversion } from "../gen/tributary/v1/attribution_pb";
import { useChangeSearch, useDashboardState } from "../filters/search-state";
import { channelName } from "../figures/channels";
import { write, writeTime } from "../figures/format";
import { words } from "../language/words";
import { DataTable, type Column } from "./data-table";
import { strongest } from "./live-conversions";
import { Path } from "./path";
import { Widget, type Width } from "./widget";

export function ConversionList({ width }: { width: Width }) {
  const { model, channels, campaigns, timeZone } = useDashboardState();
  const change = useChangeSearch();
  const query = useConversions();
  const pages = query.data?.pages ?? [];
  const last = pages.at(-1);
  const read = pages.flatMap(({ value }) => value.conversions);
  const touchesOf = (conversion: AttributedConversion) => (conversion.models.find((each) => each.model === model) ?? conversion.models[0])?.touches ?? [];
  const rows = read.filter((conversion) => {
    const touches = touchesOf(conversion);
    return (channels.length === 0 || touches.some(({ channel }) => channels.includes(channel))) && (campaigns.length === 0 || touches.some(({ campaignId }) => campaigns.includes(campaignId)));
  });
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
    { id: "value", label: words.conversions.value, numeric: true, by: (row) => Number(row.valueMicros), show: (row) => write(Number(row.valueMicros), "money", { currency: row.currency }) },
    { id: "path", label: words.conversions.path, by: (row) => touchesOf(row).length, show: (row) => <Path touches={touchesOf(row)} /> },
    { id: "winner", label: words.conversions.mostCredit(modelName(model)), by: (row) => strongest(touchesOf(row)), show: (row) => channelName(strongest(touchesOf(row))) },
  ];
  // The pages as one answer, as fresh as the newest of them.
  const answer = { ...query, data: pages[0] && { ...pages[0], value: rows } } as unknown as UseQueryResult<Answer<AttributedConversion[]>>;
  return (
    <Widget
      title={words.conversions.title}
      note={words.conversions.note}
      width={width}
      query={answer}
      subject="detail"
      height={380}
      isEmpty={() => rows.length === 0 && !last?.value.next}
      empty={read.length === 0 ? words.conversions.empty : words.conversions.noneOfSelection}
      table={() => ({
        columns: columns.map(({ label, numeric }) => ({ label, numeric: numeric ?? false })),
        rows: rows.map((row) => ({
          key: row.conversionId,
          cells: [
            { text: writeTime(toMs(row.conversionTime) ?? 0, timeZone, "second") },
            { text: row.conversionType },
            { text: write(Number(row.valueMicros), "money", { currency: row.currency }) },
            { text: touchesOf(row).map(({ channel }) => channelName(channel)).join(" › ") },
            { text: channelName(strongest(touchesOf(row))) },
          ],
        })),
      })}
    >
      {() => (
        <>
          {rows.length === 0 ? (
            <p className="widget-words">{words.conversions.noneOfSelection}</p>
          ) : (
            <DataTable
              caption={words.conversions.title}
              rows={rows}
              columns={columns}
              rowKey={(row) => row.conversionId}
              text={(row) => `${row.conversionType} ${row.conversionId} ${touchesOf(row).map(({ channel, campaignId }) => `${channel} ${campaignId}`).join(" ")}`}
              first={{ column: "time", descending: true }}
              pageSize={8}
            />
          )}
          {last?.value.next && (
            <Button className="button button-small" isDisabled={query.isFetchingNextPage} onPress={() => void query.fetchNextPage()}>
              {query.isFetchingNextPage ? words.common.loading : words.common.loadMore}
            </Button>
          )}
        </>
      )}
    </Widget>
  );
}
