/** Saves the answer behind a widget as a file, if the caller's role may have it. */
import { Download } from "lucide-react";
import { useState } from "react";
import { Button } from "react-aria-components/Button";
import { ExportRefused, saveFile, type ServerFiles } from "../data/export";
import { useRights, type Subject } from "../data/rights";
import { useDashboardState } from "../filters/search-state";
import { words } from "../language/words";

interface Props {
  title: string;
  /** Absent while there is nothing to save. */
  files: ServerFiles | undefined;
  subject: Subject;
}

export function SaveButton({ title, files, subject }: Props) {
  const { tenant } = useDashboardState();
  const allowed = useRights().export(subject);
  const [problem, setProblem] = useState("");
  const [saving, setSaving] = useState(false);
  const save = async () => {
    if (!files) return;
    setSaving(true);
    setProblem("");
    try {
      await saveFile(title, tenant, files);
    } catch (error) {
      setProblem(words.export.refused + (error instanceof ExportRefused ? error.message : words.errors.noAnswer));
    } finally {
      setSaving(false);
    }
  };
  return (
    <>
      <Button
        className="button button-quiet button-icon button-small"
        isDisabled={!files || !allowed || saving}
        aria-label={allowed ? words.export.save(title) : words.export.notAllowed(title)}
        onPress={() => void save()}
      >
        <Download size={15} aria-hidden />
      </Button>
      {problem && (
        <span role="alert" className="save-problem">
          {problem}
        </span>
      )}
    </>
  );
}
