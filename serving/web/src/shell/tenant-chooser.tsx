/** Asks which tenant to show, while the server leaves that to whoever reaches it. */
import { useState } from "react";
import { isTenant, LAST_TENANT, useChangeSearch } from "../filters/search-state";

function lastTenant(): string {
  try {
    return localStorage.getItem(LAST_TENANT) ?? "";
  } catch {
    return "";
  }
}

export function TenantChooser({ onDone, cancel }: { onDone: () => void; cancel: boolean }) {
  const [text, setText] = useState(lastTenant);
  const [wrong, setWrong] = useState(false);
  const change = useChangeSearch();
  return (
    <main className="welcome">
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          const tenant = text.trim();
          setWrong(!isTenant(tenant));
          if (!isTenant(tenant)) return;
          // Filters name campaigns and conversions of the tenant before.
          change({ tenant, campaign: undefined, conversion: undefined, currency: undefined });
          onDone();
        }}
      >
        <h1>Which tenant?</h1>
        <p className="muted">The company whose figures are shown. This server does not ask who you are.</p>
        <label>
          Tenant
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
            1 to 64 letters, digits, dots, hyphens or underscores.
          </p>
        )}
        <div className="welcome-actions">
          <button type="submit" className="button button-primary">
            Show the figures
          </button>
          {cancel && (
            <button type="button" className="button" onClick={onDone}>
              Cancel
            </button>
          )}
        </div>
      </form>
    </main>
  );
}
