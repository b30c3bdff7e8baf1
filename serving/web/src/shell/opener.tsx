/** A button that opens a part of the page that is loaded when it is first wanted. */
import { Suspense, useRef, useState, type ReactNode, type RefObject } from "react";
import { Button, type ButtonProps } from "react-aria-components/Button";

export interface Opened {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  button: RefObject<HTMLButtonElement | null>;
}

interface Props extends Omit<ButtonProps, "children"> {
  opens: "dialog" | "menu";
  children: ReactNode;
  content: (opened: Opened) => ReactNode;
}

export function Opener({ opens, children, content, ...props }: Props) {
  const [open, setOpen] = useState(false);
  // Kept once it was open, so that it can leave the page in its own way.
  const [wanted, setWanted] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  return (
    <>
      <Button
        {...props}
        ref={button}
        aria-haspopup={opens}
        aria-expanded={open}
        onPress={() => {
          setWanted(true);
          setOpen(true);
        }}
      >
        {children}
      </Button>
      {wanted && <Suspense fallback={null}>{content({ open, onOpenChange: setOpen, button })}</Suspense>}
    </>
  );
}
