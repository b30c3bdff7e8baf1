/** Pages that are not there, and pages that failed. */
import { type ErrorComponentProps, Link } from "@tanstack/react-router";

export function NotFound() {
  return (
    <div className="widget-words" style={{ minHeight: 320 }}>
      <strong>There is no page at this address.</strong>
      <Link to="/executive">Go to the executive dashboard</Link>
    </div>
  );
}

export function PageFailed({ error }: ErrorComponentProps) {
  return (
    <div className="widget-words" role="alert" style={{ minHeight: 320 }}>
      <strong>This page failed.</strong>
      <p>{error instanceof Error ? error.message : String(error)}</p>
      <button type="button" className="button" onClick={() => window.location.reload()}>
        Load it again
      </button>
    </div>
  );
}
