/** Shown to a browser that nobody is signed in with. */
import { Button } from "react-aria-components/Button";
import { signIn } from "../data/session";

export function SignIn() {
  return (
    <main className="welcome">
      <div className="welcome-card">
        <h1>Sign in to see the figures</h1>
        <p className="muted">Your company&apos;s sign-in page opens, and leads back to this one.</p>
        <Button className="button button-primary" onPress={signIn} autoFocus>
          Sign in
        </Button>
      </div>
    </main>
  );
}
