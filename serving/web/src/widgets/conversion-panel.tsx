/** One conversion, explained touch by touch, for every model. Opened by the address, so that a link leads to it. */
import { X } from "lucide-react";
import { Button, Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import type { AttributedConversion } from "../gen/tributary/v1/attribution_pb";
import { modelName, modelRule, useConversion } from "../data/attribution-queries";
import { describe } from "../data/errors";
import { writeRevision } from "../data/freshness";
import { toMs } from "../data/protobuf-time";
import { Picker } from "../filters/picker";
import { MODELS, useChangeSearch, useDashboardState, type Model } from "../filters/search-state";
import { channelColour, channelName } from "../figures/channels";
import { write, writeAge, writeTime } from "../figures/format";
import "./attribution.css";
import { words } from "../language/words";

export default function ConversionPanel() {
  const { conversion } = useDashboardState();
  const change = useChangeSearch();
  return (
    <ModalOverlay className="panel-scrim" isOpen={conversion !== undefined} onOpenChange={(open) => !open && change({ conversion: undefined })} isDismissable>
      <Modal className="panel">
        <Dialog>
          {({ close }) => (
            <>
              <header className="panel-head">
                <div>
                  <Heading slot="title">{words.conversions.explained}</Heading>
                  <p className="muted">{conversion}</p>
                </div>
                <Button className="button button-quiet button-icon" aria-label={words.common.close} onPress={close}>
                  <X size={16} aria-hidden />
                </Button>
              </header>
              <Explained id={conversion} />
            </>
          )}
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

function Explained({ id }: { id: string | undefined }) {
  const query = useConversion(id);
  if (query.data?.value) return <Story conversion={query.data.value} />;
  if (query.isError) {
    const { title, detail } = describe(query.error);
    return (
      <div role="alert">
        <strong>{title}</strong>
        <p className="muted">{detail}</p>
      </div>
    );
  }
  return (
    <div className="skeleton" style={{ height: 320 }}>
      <span className="hidden-text">{words.common.loading}</span>
    </div>
  );
}

function Story({ conversion }: { conversion: AttributedConversion }) {
  const { model, timeZone } = useDashboardState();
  const change = useChangeSearch();
  const { currency } = conversion;
  const at = toMs(conversion.conversionTime) ?? 0;
  const chosen = conversion.models.find((each) => each.model === model) ?? conversion.models[0];
  const refunded = conversion.grossValueMicros - conversion.valueMicros;
  const byModel = MODELS.map((name) => conversion.models.find((each) => each.model === name)).filter((each) => each !== undefined);
  return (
    <>
      <dl className="facts">
        <Fact name={words.conversions.value} value={write(Number(conversion.valueMicros), "money", { currency })} />
        {refunded > 0n && <Fact name={words.conversions.beforeRefunds} value={write(Number(conversion.grossValueMicros), "money", { currency })} />}
        <Fact name={words.conversions.type} value={conversion.conversionType} />
        <Fact name={words.conversions.when} value={writeTime(at, timeZone, "second")} />
        <Fact name={words.conversions.customer} value={conversion.customerId} />
        <Fact name={words.conversions.journey} value={conversion.journeyId} />
      </dl>
      <section>
        <h3>{words.conversions.touchByTouch}</h3>
        <Picker
          label={words.conversions.model}
          summary={modelName(model)}
          choices={MODELS.map((each) => ({ id: each, label: modelName(each) }))}
          chosen={[model]}
          onChoose={([each]) => change({ model: each as Model })}
        />
        <p className="widget-remark">{modelRule(model)}.</p>
        <ol className="touches">
          {chosen?.touches.map((touch) => (
            <li key={touch.touchpointId} className="touch">
              <i style={{ color: `var(${channelColour(touch.channel)})` }} aria-hidden />
              <div>
                <strong>{channelName(touch.channel)}</strong> {touch.campaignId}
                <br />
                <small>
                  {touch.time ? words.conversions.before(writeTime(toMs(touch.time) ?? 0, timeZone, "second"), writeAge(at - (toMs(touch.time) ?? at))) : words.conversions.noTouch}
                </small>
              </div>
              <p className="touch-credit">
                <b>{write(Number(touch.creditedMicros), "money", { currency })}</b>
                <small>{write(touch.weight, "share")}</small>
              </p>
            </li>
          ))}
        </ol>
      </section>
      <section>
        <h3>{words.conversions.everyModel}</h3>
        <div className="models-scroll" tabIndex={0} role="region" aria-label={words.conversions.creditOfTouch}>
          <table className="models">
            <thead>
              <tr>
                <th scope="col">{words.conversions.touch}</th>
                {byModel.map(({ model: name }) => (
                  <th key={name} scope="col" data-chosen={name === model || undefined}>
                    {modelName(name as Model)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {chosen?.touches.map((touch, index) => (
                <tr key={touch.touchpointId}>
                  <th scope="row">{channelName(touch.channel)}</th>
                  {byModel.map(({ model: name, touches }) => (
                    <td key={name} data-chosen={name === model || undefined}>
                      {write(Number(touches[index]?.creditedMicros ?? 0n), "money", { currency })}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        <p className="widget-remark">
          {words.conversions.adds(writeRevision(conversion.revision, timeZone))}
        </p>
      </section>
    </>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value || words.common.notGiven}</dd>
    </div>
  );
}
