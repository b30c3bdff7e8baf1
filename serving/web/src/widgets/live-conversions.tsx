/** The newest conversions as they are attributed; each opens its explanation. */
import { useLiveConversions } from "../data/live";
import { useRights } from "../data/rights";
import { toMs } from "../data/protobuf-time";
import { useDashboardState } from "../filters/search-state";
import { useConversionRows } from "./conversion-rows";
import { LiveFoot } from "./live-foot";
import "./live.css";
import { DataTable } from "./data-table";
import { Frame, NotYourRole, type Width } from "./widget";
import { words } from "../language/words";

// As many as the server's snapshot holds.
const MOST = 100;

export function LiveConversions({ width }: { width: Width }) {
  const { tenant, channels, campaigns } = useDashboardState();
  const may = useRights().view("detail");
  const live = useLiveConversions(tenant, may);
  const { isSelected, columns, text } = useConversionRows();
  const rows = [...live.items.values()]
    .filter(isSelected)
    .sort((a, b) => (toMs(b.conversionTime) ?? 0) - (toMs(a.conversionTime) ?? 0))
    .slice(0, MOST);
  if (!may) return <NotYourRole title={words.conversions.live} width={width} subject="detail" height={160} />;
  return (
    <Frame
      title={words.conversions.live}
      note={words.conversions.liveNote(MOST, channels.length > 0 || campaigns.length > 0)}
      width={width}
      footer={<LiveFoot live={live} />}
    >
      {rows.length > 0 ? (
        <DataTable
          caption={words.conversions.live}
          rows={rows}
          columns={columns}
          rowKey={(row) => row.conversionId}
          text={text}
          first={{ column: "time", descending: true }}
          pageSize={8}
        />
      ) : (
        <p className="widget-words" style={{ minHeight: 160 }}>
          {live.known ? words.conversions.noneLive : words.conversions.waiting}
        </p>
      )}
    </Frame>
  );
}
