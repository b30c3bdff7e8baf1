/** The conversions of the range, page by page, each opening its explanation. */
import type { UseQueryResult } from "@tanstack/react-query";
import { Button } from "react-aria-components/Button";
import type { Answer } from "../data/campaign-queries";
import { useConversions } from "../data/conversion-queries";
import { toMs } from "../data/protobuf-time";
import type { AttributedConversion } from "../gen/tributary/v1/attribution_pb";
import { useDashboardState } from "../filters/search-state";
import { channelName } from "../figures/channels";
import { write, writeTime } from "../figures/format";
import { words } from "../language/words";
import { strongest, useConversionRows } from "./conversion-rows";
import { DataTable } from "./data-table";
import { Widget, type Width } from "./widget";

export function ConversionList({ width }: { width: Width }) {
  const { timeZone } = useDashboardState();
  const query = useConversions();
  const pages = query.data?.pages ?? [];
  const last = pages.at(-1);
  const read = pages.flatMap(({ value }) => value.conversions);
  const { touchesOf, isSelected, columns, text } = useConversionRows();
  const rows = read.filter(isSelected);
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
              text={text}
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
