/** Pages that are not there, and pages that failed. */
import { type ErrorComponentProps, Link } from "@tanstack/react-router";
import { words } from "../language/words";

export function NotFound() {
  return (
    <div className="widget-words" style={{ minHeight: 320 }}>
      <strong>{words.errors.noPage}</strong>
      <Link to="/executive">{words.errors.goExecutive}</Link>
    </div>
  );
}

export function PageFailed({ error }: ErrorComponentProps) {
  return (
    <div className="widget-words" role="alert" style={{ minHeight: 320 }}>
      <strong>{words.errors.pageFailed}</strong>
      <p>{error instanceof Error ? error.message : String(error)}</p>
      <button type="button" className="button" onClick={() => window.location.reload()}>
        {words.errors.loadAgain}
      </button>
    </div>
  );
}
