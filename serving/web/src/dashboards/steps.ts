/** Steps of editing that can be taken back. Changes of one name that follow each other, such as the parts of a drag, are one step. */
import { useReducer } from "react";

const MOST_STEPS = 100;

interface State<T> {
  past: T[];
  present: T;
  future: T[];
  /** The name of the step that is still going on. */
  open: string | undefined;
}

type Action<T> = { kind: "set"; next: T; name: string | undefined } | { kind: "undo" } | { kind: "redo" } | { kind: "reset"; to: T };

function reduce<T>(state: State<T>, action: Action<T>): State<T> {
  const { past, present, future, open } = state;
  switch (action.kind) {
    case "set": {
      const same = open !== undefined && (action.name === open || (action.name === undefined && open.startsWith("drag ")));
      return { past: same ? past : [...past, present].slice(-MOST_STEPS), present: action.next, future: [], open: action.name };
    }
    case "undo": {
      const before = past.at(-1);
      return before === undefined ? state : { past: past.slice(0, -1), present: before, future: [present, ...future], open: undefined };
    }
    case "redo": {
      const [next, ...later] = future;
      return next === undefined ? state : { past: [...past, present], present: next, future: later, open: undefined };
    }
    case "reset":
      return { past: [], present: action.to, future: [], open: undefined };
  }
}

export function useSteps<T>(first: T): {
  draft: T;
  set: (next: T, name?: string) => void;
  undo: (() => void) | undefined;
  redo: (() => void) | undefined;
  reset: (to: T) => void;
} {
  const [state, send] = useReducer(reduce<T>, { past: [], present: first, future: [], open: undefined });
  return {
    draft: state.present,
    set: (next, name) => send({ kind: "set", next, name }),
    undo: state.past.length ? () => send({ kind: "undo" }) : undefined,
    redo: state.future.length ? () => send({ kind: "redo" }) : undefined,
    reset: (to) => send({ kind: "reset", to }),
  };
}
