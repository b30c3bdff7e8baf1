/** Shown to a browser that nobody is signed in with, or not any more, or without the second factor that a role needs. */
import { Button } from "react-aria-components/Button";
import { signIn } from "../data/session";
import { words } from "../language/words";

export function SignIn({ because }: { because: "signed-out" | "expired" | "mfa" }) {
  const { signInTitle, signInText, expiredTitle, expiredText, mfaTitle, mfaText } = words.access;
  const [title, text] = { "signed-out": [signInTitle, signInText], expired: [expiredTitle, expiredText], mfa: [mfaTitle, mfaText] }[because];
  return (
    <main className="welcome">
      <div className="welcome-card">
        <h1>{title}</h1>
        <p className="muted">{text}</p>
        <Button className="button button-primary" onPress={signIn} autoFocus>
          {words.access.signIn}
        </Button>
      </div>
    </main>
  );
}
