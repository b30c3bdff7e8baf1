/** Asks which tenant to show. */
import { useState } from "react";
import type { Access, Session } from "../data/session";
import { isTenant, LAST_TENANT, useChangeSearch } from "../filters/search-state";
import { words } from "../language/words";

function lastTenant(): string {
  try {
    return localStorage.getItem(LAST_TENANT) ?? "";
  } catch {
    return "";
  }
}

interface Props {
  access: Access;
  onDone: () => void;
  cancel: boolean;
}

/** Whoever is signed in chooses among their tenants; the demo user names any. */
export function TenantChooser({ access, onDone, cancel }: Props) {
  const change = useChangeSearch();
  const choose = (tenant: string) => {
    // Filters name campaigns and conversions of the tenant before.
    change({ tenant, campaign: undefined, conversion: undefined, currency: undefined });
    onDone();
  };
  if (access.known === "session" && !access.session.all_tenants) return <OwnTenants tenants={access.session.tenants} choose={choose} />;
  return <AnyTenant choose={choose} cancel={cancel ? onDone : undefined} />;
}

function OwnTenants({ tenants, choose }: { tenants: Session["tenants"]; choose: (tenant: string) => void }) {
  const names = Object.keys(tenants);
  return (
    <main className="welcome">
      <div className="welcome-card">
        <h1>{names.length ? words.access.whichTenant : words.access.noTenant}</h1>
        {names.length === 0 && <p className="muted">{words.access.noTenantText}</p>}
        {names.map((name) => (
          <button key={name} type="button" className="button" onClick={() => choose(name)}>
            {name}
            {tenants[name]?.mfa_required && <span className="muted">{words.access.needsMfa}</span>}
          </button>
        ))}
      </div>
    </main>
  );
}

function AnyTenant({ choose, cancel }: { choose: (tenant: string) => void; cancel: (() => void) | undefined }) {
  const [text, setText] = useState(lastTenant);
  const [wrong, setWrong] = useState(false);
  return (
    <main className="welcome">
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          const tenant = text.trim();
          setWrong(!isTenant(tenant));
          if (isTenant(tenant)) choose(tenant);
        }}
      >
        <h1>{words.access.whichTenant}</h1>
        <p className="muted">{words.access.anyTenantText}</p>
        <label>
          {words.access.tenant}
          <input
            className="field"
            value={text}
            onChange={(event) => setText(event.target.value)}
            autoComplete="organization"
            spellCheck={false}
            aria-invalid={wrong}
            aria-describedby={wrong ? "tenant-wrong" : undefined}
            // The page has nothing else to do.
            autoFocus
          />
        </label>
        {wrong && (
          <p id="tenant-wrong" role="alert" className="field-error">
            {words.access.wrongTenant}
          </p>
        )}
        <div className="welcome-actions">
          <button type="submit" className="button button-primary">
            {words.access.show}
          </button>
          {cancel && (
            <button type="button" className="button" onClick={cancel}>
              {words.common.cancel}
            </button>
          )}
        </div>
      </form>
    </main>
  );
}
