/** The filters that hold for every widget of a page. */
import { Globe, RotateCcw, Undo2 } from "lucide-react";
import { useMemo } from "react";
import { Button } from "react-aria-components/Button";
import { ToggleButton } from "react-aria-components/ToggleButton";
import { mainCurrency, useTotals } from "../data/campaign-queries";
import { CHANNELS, channelColour, channelName } from "../figures/channels";
import { RangePicker } from "./range-picker";
import { Picker, type Choice } from "./picker";
import { browserTimeZone, joinCampaigns, useChangeSearch, useDashboardState } from "./search-state";
import { useKnownCampaigns } from "./known-campaigns";
import { useUndo } from "./undo";
import { words } from "../language/words";

function summarise(values: string[], all: string, name: (value: string) => string = (value) => value): string {
  if (values.length === 0) return all;
  return values.length === 1 ? name(values[0] ?? "") : words.filters.chosen(values.length);
}

/** `campaigns`: whether the page shows figures of campaigns, which alone the filters of channel, campaign and currency cut. */
export function FilterBar({ campaigns: ofCampaigns }: { campaigns: boolean }) {
  const state = useDashboardState();
  const change = useChangeSearch();
  const undo = useUndo();
  const campaigns = useKnownCampaigns();
  const byCurrency = useTotals();
  const currency = mainCurrency(byCurrency.data?.value ?? [], state.currency);
  const filtered = state.channels.length > 0 || state.campaigns.length > 0 || state.currency !== undefined;
  const channelChoices: Choice[] = CHANNELS.map((id) => ({ id, label: channelName(id), colour: channelColour(id) }));
  const currencyChoices = useMemo(() => {
    const codes = new Set((byCurrency.data?.value ?? []).map((group) => group.currency));
    if (state.currency) codes.add(state.currency);
    return [...codes].sort().map((id) => ({ id, label: id }));
  }, [byCurrency.data, state.currency]);
  const zones = useMemo(() => {
    const known = Intl.supportedValuesOf("timeZone");
    return [...new Set([browserTimeZone(), "UTC", ...known])].map((id) => ({ id, label: id.replaceAll("_", " ") }));
  }, []);
  return (
    <div className="filter-bar" role="toolbar" aria-label={words.filters.bar}>
      <RangePicker />
      {ofCampaigns && (
        <>
          <ToggleButton
            className="button"
            isSelected={state.compare}
            onChange={(on) => change({ compare: on ? undefined : "none" })}
          >
            {words.filters.compare}
          </ToggleButton>
          <Picker
            label={words.filters.channel}
            summary={summarise(state.channels, words.common.all, channelName)}
            choices={channelChoices}
            chosen={state.channels}
            several
            active={state.channels.length > 0}
            onChoose={(ids) => change({ channel: ids.join(",") || undefined })}
            onClear={() => change({ channel: undefined })}
          />
          <Picker
            label={words.filters.campaign}
            summary={summarise(state.campaigns, words.common.all)}
            choices={campaigns}
            chosen={state.campaigns}
            several
            active={state.campaigns.length > 0}
            onChoose={(ids) => change({ campaign: joinCampaigns(ids) })}
            onClear={() => change({ campaign: undefined })}
            empty={words.filters.noCampaign}
          />
          <Picker
            label={words.filters.currency}
            summary={currency ?? words.common.none}
            choices={currencyChoices}
            chosen={currency ? [currency] : []}
            active={state.currency !== undefined}
            onChoose={([id]) => change({ currency: id })}
            onClear={() => change({ currency: undefined })}
            empty={words.filters.noFigure}
          />
        </>
      )}
      <Picker
        label={words.filters.timeZone}
        summary={state.timeZone.replaceAll("_", " ")}
        icon={<Globe size={15} aria-hidden />}
        choices={zones}
        chosen={[state.timeZone]}
        onChoose={([id]) => change({ tz: id })}
      />
      <span className="filter-bar-end">
        {filtered && (
          <Button
            className="button button-quiet"
            onPress={() => change({ channel: undefined, campaign: undefined, currency: undefined })}
          >
            <RotateCcw size={14} aria-hidden />
            {words.filters.clear}
          </Button>
        )}
        <Button className="button button-quiet" isDisabled={!undo.possible} onPress={undo.undo} aria-keyshortcuts="Control+Z">
          <Undo2 size={15} aria-hidden />
          {words.filters.undo}
        </Button>
      </span>
    </div>
  );
}
