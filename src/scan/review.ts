import type { Transaction } from "../database/connect.ts";
import { gitBlobSha, SUBMODULE_MODE, type TreeEntry } from "./manifest.ts";
import type { ReadTree } from "./prove.ts";
import type { ScanRun, ScanTools } from "./scan.ts";
import { DEFAULT_SETTINGS, MAX_SETTINGS_BYTES, SETTINGS_PATH, type Settings } from "./settings.ts";
import { parseSettings, tooLarge } from "./settings-file.ts";
import { type KnownSettings, recordFaults, recordSettings } from "./settings-store.ts";
import { BranchMissing, type Head } from "./source.ts";

interface ReviewContext extends ScanTools {
  /** What earlier scans know. */
  known: KnownSettings;
  /** Lists the default branch's tree, which tells the file for free where that branch is the indexed one. */
  list: (head: Head) => Promise<ReadTree>;
}

/** The settings in force, and the default branch's tree where it had to be listed. */
export interface Reviewed {
  settings: Settings;
  tree: ReadTree | null;
  /** The file was judged now: people who changed it want to hear. */
  isNew: boolean;
}

/**
 * Says which settings hold. The file is read only where it differs from the one that was judged last, and looked for
 * only where the default branch moved (`root` is its head). A file with mistakes leaves the last good settings in
 * force. What is found is stored at once: from then on pushes to a newly named branch are heard.
 */
export async function reviewSettings(run: ScanRun, root: Head, context: ReviewContext): Promise<Reviewed> {
  const { known, source, signal, list } = context;
  const trusted = run.mode === "incremental";
  if (trusted && known.commit === root.sha) {
    if (known.faults.length > 0) await context.write((t) => note(t, run, { ...known, ...context }));
    return { settings: known.settings, tree: null, isNew: false };
  }
  const tree = indexesDefault(known.settings, root) ? await list(root) : null;
  const file = tree ? findSettings(tree.entries) : await source.findFile(root.sha, SETTINGS_PATH, signal);
  const isSame = trusted && known.commit !== null && known.sha === (file?.sha ?? null);
  const judged = isSame ? { ...known, commit: root.sha } : await judge(file, root, context);
  await context.write(async (t) => {
    await recordSettings(t.trx, run.repository_id, judged);
    await note(t, run, { ...judged, ...context });
  });
  return { settings: judged.settings, tree, isNew: !isSame };
}

/** Whether the branch to index is the default one. */
export function indexesDefault({ branch }: Settings, root: Head): boolean {
  return branch === null || branch === root.branch;
}

function findSettings(entries: TreeEntry[]): { sha: string; size: number | null } | null {
  return entries.find(({ path, mode }) => path === SETTINGS_PATH && mode !== SUBMODULE_MODE) ?? null;
}

/** Has the run report the mistakes of the configuration, its own look's or an older one's. */
async function note(
  t: Transaction,
  run: ScanRun,
  { faults, warn }: Pick<KnownSettings, "faults"> & ScanTools,
): Promise<void> {
  await recordFaults(t.trx, run.id, faults);
  const [first] = faults;
  if (!first) return;
  const mistakes = faults.length === 1 ? "a mistake" : `${faults.length} mistakes`;
  const told = `${SETTINGS_PATH} has ${mistakes}, so the last good configuration stays in force.`;
  const message = `${told} Line ${first.line}: ${first.message}`;
  await warn(t, { kind: "run.configuration", message, data: { faults } });
}

/** Reads the file and says what becomes of it. What may change without it is to be judged again by the next scan. */
async function judge(
  file: { sha: string; size: number | null } | null,
  root: Head,
  context: ReviewContext,
): Promise<KnownSettings> {
  if (!file) return { settings: DEFAULT_SETTINGS, sha: null, commit: root.sha, faults: [] };
  const { settings } = context.known;
  const judged = { settings, sha: file.sha, commit: root.sha };
  if ((file.size ?? 0) > MAX_SETTINGS_BYTES) return { ...judged, faults: [tooLarge(file.size ?? 0)] };
  const content = await readFile(file, context);
  if (!content) {
    const message = "GitHub did not deliver this file. The next scan reads it again.";
    return { settings, sha: null, commit: null, faults: [{ line: 1, column: 1, message }] };
  }
  const parsed = parseSettings(content);
  if ("faults" in parsed) return { ...judged, faults: parsed.faults };
  const { branch } = parsed.settings;
  if (branch !== null && !(await mayIndex(branch, root, context))) {
    const message = `There is no branch ${branch}: create it, or name another one, then comment /rescan.`;
    return { settings, sha: null, commit: null, faults: [{ ...parsed.branchAt, message }] };
  }
  return { ...judged, settings: parsed.settings, faults: [] };
}

async function readFile(
  file: { sha: string; size: number | null },
  { source, signal }: ScanTools,
): Promise<Buffer | null> {
  for await (const { content } of source.readBlobs([file], signal)) {
    if (content && gitBlobSha(content) === file.sha) return content;
  }
  return null;
}

/** Whether there is such a branch. One that was good before may have been deleted, which is no mistake of the file. */
async function mayIndex(
  branch: string,
  root: Head,
  { known, source, signal }: ReviewContext,
): Promise<boolean> {
  if (branch === root.branch || branch === known.settings.branch) return true;
  try {
    return (await source.readHead(signal, branch)) !== null;
  } catch (error) {
    if (error instanceof BranchMissing) return false;
    throw error;
  }
}
