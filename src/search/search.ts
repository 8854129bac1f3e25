import PQueue from "p-queue";
import { type Connection, transaction } from "../database/connect.ts";
import type { Viewer } from "../database/viewer.ts";
import { pathLine } from "../grams/unit.ts";
import { type Cursor, ofKind, readCursor, writeCursor } from "./cursor.ts";
import {
  conditionsOf,
  countMatching,
  type FilePlace,
  listMatching,
  readFilesOf,
  readUnsearchable,
  readVisible,
  type SearchedFile,
} from "./files.ts";
import { type CompiledPattern, compilePattern } from "./match.ts";
import { Matcher, TimedOut } from "./matcher.ts";
import { findPathHits, findPathsWithin, type PathHits } from "./paths.ts";
import {
  type Candidates,
  commonBlobs,
  countBlobs,
  type Leaf,
  leavesOf,
  listBlobs,
  readCandidates,
  TIERS,
  type Tier,
  type UnitsBySegment,
  withoutBlobs,
} from "./plan.ts";
import type { ParsedQuery, Query } from "./query.ts";
import { scorePath, scoreText, sinkOf } from "./rank.ts";
import { RowCache } from "./row-cache.ts";
import {
  type BlobLists,
  comparePlaces,
  type Place,
  placeOf,
  repositoryOf,
  type SegmentBlob,
  SegmentCache,
  walkBlobs,
} from "./segments.ts";
import { linesOfFiles, type ShownLines } from "./snippet.ts";
import type { Snapshot } from "./statement.ts";
import {
  type Candidate,
  keyOf,
  lineOf,
  mergeRanges,
  unitNumbers,
  type Verification,
  type Verified,
  verify,
} from "./verify.ts";

/** A search answers with what it has after so long. */
const TIME_BOX_MS = 2_000;
/** So many blobs are looked at first, then more and more. */
const FIRST_BATCH = 64;
const LARGEST_BATCH = 1_024;
const LARGEST_NAMED_BATCH = 8_192;
/** So many of their units are read together at first, of 8 KB each, then more and more: a common pattern is soon done. */
const FIRST_UNITS = 128;
const UNITS_AT_ONCE = 1_024;
/** A page ends before it has more lines than that, and what stands around them. */
const LINES_OF_PAGE = 20_000;
/** Files that are found by their names alone are not counted further. */
const NAMES_COUNTED = 1_000;
/** Files without a text that are read at once. */
const NAMES_AT_ONCE = 200;
/** So many blobs are ordered by what their files are called, then so many of them by their texts. */
const WINDOW = 300;
const FIRST_GROUP = 60;
/** Of groups after the first often only a few files are asked for. */
const NEXT_GROUP = 20;
const UNSEARCHABLE_SHOWN = 100;

/** So many searches are under way at once: each holds a connection, and scans need theirs. */
const SEARCHES_AT_ONCE = 6;

/** What all searches of a process share. */
export interface SearchEngine {
  connection: Connection;
  slots: PQueue;
  matcher: Matcher;
  segments: SegmentCache;
  rows: RowCache;
  close(): Promise<void>;
}

export function createSearchEngine(connection: Connection): SearchEngine {
  const matcher = new Matcher({ threads: 2 });
  const slots = new PQueue({ concurrency: SEARCHES_AT_ONCE });
  return {
    connection,
    slots,
    matcher,
    segments: new SegmentCache(),
    rows: new RowCache(),
    close: () => matcher.close(),
  };
}

export interface SearchOptions {
  /** Files. */
  limit: number;
  /** Lines shown before and after each that was found. */
  context: number;
  /** Lines of a file that are shown at most. */
  lines: number;
  cursor: string | null;
  /** Milliseconds after which it answers with what it has. */
  timeBoxMs?: number;
  signal?: AbortSignal;
}

/** A file for which the query is true. */
export interface FoundFile extends Omit<SearchedFile, "generated" | "vendored" | "truths">, ShownLines {
  /** What of the path matches, as columns (UTF-16 units). */
  path_ranges: [number, number][];
}

/** Why an answer may lack something. */
export interface Incomplete {
  reason: "indexing" | "time_box";
  message: string;
  /** Those that are not indexed whole yet. */
  repositories: string[];
}

export interface SearchAnswer {
  data: FoundFile[];
  next_cursor: string | null;
  /** Files in all, as far as it can be told. */
  estimated_total: number;
  total_is_exact: boolean;
  incomplete: Incomplete | null;
}

/** All that one search is done with. */
interface Search extends Snapshot {
  engine: SearchEngine;
  viewer: Viewer;
  query: Query;
  options: SearchOptions;
  /** By performance.now(). */
  deadline: number;
}

/** What was found so far: a search that is cut off answers with it. */
interface Page {
  files: FoundFile[];
  next: Cursor | null;
  total: number;
  isExact: boolean;
  /** Lines, and what stands around them, at most. */
  lines: number;
}

/**
 * The files that a viewer may see and for which a query is true, from one snapshot of the index. Plain words are ranked;
 * all else is in the order of repositories. Throws BadCursor.
 */
export async function search(
  engine: SearchEngine,
  viewer: Viewer,
  { query }: ParsedQuery,
  options: SearchOptions,
): Promise<SearchAnswer> {
  // What is cut off before it got anywhere goes on from where it began.
  const page: Page = { files: [], next: readCursor(options.cursor), total: 0, isExact: true, lines: 0 };
  const timeBox = options.timeBoxMs ?? TIME_BOX_MS;
  const deadline = performance.now() + timeBox;
  let unsearchable: string[] = [];
  let isCut = false;
  if (query) {
    try {
      await inSlot(engine, { timeBox }, async (snapshot) => {
        await snapshot.client.query(
          `set transaction isolation level repeatable read, read only; set local plan_cache_mode = force_generic_plan; set local statement_timeout = ${Math.ceil(timeBox)}`,
        );
        unsearchable = await readUnsearchable(snapshot, viewer, UNSEARCHABLE_SHOWN);
        await fillPage({ ...snapshot, engine, viewer, query, options, deadline }, page);
      });
    } catch (error) {
      if (!isTimeout(error)) throw error;
      isCut = true;
    }
  }
  return {
    data: page.files,
    next_cursor: page.next && writeCursor(page.next),
    estimated_total: Math.max(page.total, page.files.length),
    total_is_exact: page.isExact && !isCut,
    incomplete: incompleteOf({ isCut, timeBox, unsearchable }),
  };
}

/** Runs a search in a transaction of its own once fewer are under way; TimedOut where that takes all its time. */
async function inSlot(
  { slots, connection, rows }: SearchEngine,
  { timeBox }: { timeBox: number },
  work: (snapshot: Snapshot) => Promise<void>,
): Promise<void> {
  const waiting = new AbortController();
  const timer = setTimeout(() => waiting.abort(new TimedOut()), timeBox);
  const options = { signal: waiting.signal };
  await slots
    .add(async () => {
      clearTimeout(timer);
      await transaction(connection, (t) => work({ ...t, rows }));
    }, options)
    .finally(() => clearTimeout(timer));
}

/** The time box is over: the matcher or the database says so, or there was no time left to ask. */
function isTimeout(error: unknown): boolean {
  if (error instanceof TimedOut) return true;
  return error instanceof Error && "code" in error && error.code === "57014";
}

function incompleteOf(options: {
  isCut: boolean;
  timeBox: number;
  unsearchable: string[];
}): Incomplete | null {
  const { isCut, timeBox, unsearchable: repositories } = options;
  if (isCut) {
    const message = `Not all was looked at within ${timeBox / 1000} s. Add a longer literal part, or repo: or path:.`;
    return { reason: "time_box", message, repositories };
  }
  if (repositories.length === 0) return null;
  const count = repositories.length === 1 ? "One repository is" : `${repositories.length} repositories are`;
  return { reason: "indexing", message: `${count} not indexed whole yet.`, repositories };
}

async function fillPage(context: Search, page: Page): Promise<void> {
  const leaves = leavesOf(context.query);
  if (leaves.length === 0) return await fillByName(context, page);
  const segments = await readAllowed(context);
  const candidates = await readCandidates(context, leaves, segments);
  const searching = { ...context, ...segments, ...candidates, leaves };
  const isRanked = leaves.some(({ query, isShown }) => query.word && isShown);
  await (isRanked ? fillRanked(searching, page) : fillInOrder(searching, page));
}

/** Files whose names and kinds are asked for, but no text. */
async function fillByName({ trx, viewer, query, options }: Search, page: Page): Promise<void> {
  const cursor = ofKind(page.next, ["file"]);
  const names = { query, withoutText: false };
  const limit = options.limit + 1;
  const rows = await listMatching(trx, viewer, { ...names, after: cursor?.place ?? null, limit });
  const shown = rows.slice(0, options.limit);
  page.files = shown.map((file) => toFound(file, { path_ranges: [], lines: [], more_lines: 0 }));
  const last = shown.at(-1);
  page.next = last && rows.length > shown.length ? { kind: "file", place: placeOfFile(last) } : null;
  const isWhole = cursor === null && page.next === null;
  page.total = isWhole ? rows.length : await countMatching(trx, viewer, { ...names, most: NAMES_COUNTED });
  page.isExact = isWhole || page.total < NAMES_COUNTED;
}

function placeOfFile({ repository_id, path, path_base64 }: SearchedFile): FilePlace {
  return { repository_id, path, path_base64 };
}

function toFound(
  file: SearchedFile,
  shown: Pick<FoundFile, "path_ranges" | "lines" | "more_lines">,
): FoundFile {
  const { generated: _, vendored: __, truths: ___, ...rest } = file;
  return { ...rest, ...shown };
}

/** The segments that may hold something of what the viewer sees and the query does not rule out. */
async function readAllowed({
  trx,
  engine,
  viewer,
  query,
}: Search): Promise<Pick<Searching, "segments" | "isAll" | "allowed">> {
  const all = await engine.segments.read(trx);
  const conditions = conditionsOf(query).filter(({ kind }) => kind === "repository");
  if (viewer.repositories === "all" && conditions.length === 0)
    return { segments: all, isAll: true, allowed: null };
  const visible = await readVisible(trx, viewer, conditions);
  const possible = visible.filter(({ truths }) =>
    mayBeIn(query, (of) => truths[conditions.indexOf(of as never)]),
  );
  const allowed = new Set(possible.map(({ id }) => id));
  const segments = all.filter(({ repositories }) => repositories.some((id) => allowed.has(id)));
  return { segments, isAll: segments.length === all.length, allowed };
}

/** False where a query is false of all files of a repository, of which its conditions are known. */
function mayBeIn(query: Query, truthOf: (of: Query) => boolean | undefined): boolean {
  return decide(query, (of) => (of.kind === "repository" ? truthOf(of) === true : null)) !== false;
}

/** What a query is where of some of its parts that is known; null: it depends on the others. */
function decide(query: Query, truthOf: (of: Query) => boolean | null): boolean | null {
  if (query.kind === "not") {
    const inner = decide(query.of, truthOf);
    return inner === null ? null : !inner;
  }
  if (query.kind !== "and" && query.kind !== "or") return truthOf(query);
  const decides = query.kind === "or";
  const inner = query.of.map((of) => decide(of, truthOf));
  if (inner.includes(decides)) return decides;
  return inner.includes(null) ? null : !decides;
}

interface Searching extends Search, Candidates {
  leaves: Leaf[];
  /** These are all segments that there are. */
  isAll: boolean;
  /** Ids of repositories; null: all. */
  allowed: Set<string> | null;
}

function verificationOf({ options, ...context }: Searching): Verification {
  const { trx, client, rows, engine, query, leaves, units, deadline } = context;
  return {
    trx,
    client,
    rows,
    matcher: engine.matcher,
    query,
    leaves,
    units,
    ranged: Math.max(options.lines, HITS_SCORED),
    deadline,
    signal: options.signal,
  };
}

function checkTime({ deadline, options }: Search): void {
  options.signal?.throwIfAborted();
  if (performance.now() > deadline) throw new TimedOut();
}

/** Parts candidates into groups whose texts are read together, of more and more units. */
function* groupByUnits(candidates: Candidate[], units: Searching["units"]): Generator<Candidate[]> {
  let group: Candidate[] = [];
  let count = 0;
  let most = FIRST_UNITS;
  for (const candidate of candidates) {
    const own = candidate.blob ? unitNumbers(candidate.blob, units).length : 0;
    if (group.length > 0 && count + own > most) {
      yield group;
      group = [];
      count = 0;
      most = Math.min(UNITS_AT_ONCE, most * 2);
    }
    group.push(candidate);
    count += own;
  }
  if (group.length > 0) yield group;
}

/** The files of some blobs that a viewer sees and that a query does not rule out by their names. */
async function candidatesOf(context: Searching, blobs: SegmentBlob[]): Promise<Candidate[]> {
  const { viewer, query } = context;
  const places = blobs.map((blob) => ({ repository_id: repositoryOf(blob), first: firstOf(blob) }));
  const files = await readFilesOf(context, viewer, { blobs: places, query });
  return files.map(({ at, ...file }) => ({ file, blob: blobs[at] as SegmentBlob }));
}

function firstOf({ segment, blob }: SegmentBlob): number {
  return segment.blobFirst[blob] as number;
}

/** How far a search has come. */
interface Progress {
  looked: number;
  matched: number;
  all: number;
}

/** Files in the order of repositories, and in each in that of their indexing; then those without a text. */
async function fillInOrder(context: Searching, page: Page): Promise<void> {
  const cursor = ofKind(page.next, ["blob", "file"]);
  const progress: Progress = { looked: 0, matched: 0, all: 0 };
  const isFull =
    (cursor?.kind !== "file" && (await fillFromBlobs(context, page, { cursor, progress }))) ||
    (await fillWithoutText(context, page, {
      after: cursor?.kind === "file" ? cursor.place : null,
      broad: new Set(),
      named: new Set(),
      progress,
    }));
  if (!isFull) page.next = null;
  estimate(page, progress, { isWhole: !isFull && cursor === null });
}

/** Adds the files of blobs; true once the page is full. */
async function fillFromBlobs(
  context: Searching,
  page: Page,
  { cursor, progress }: { cursor: Extract<Cursor, { kind: "blob" }> | null; progress: Progress },
): Promise<boolean> {
  const { query, leaves, units, allowed } = context;
  const lists = await withinPaths(context, listBlobs(query, { leaves, units, broad: new Set(), allowed }));
  // The blob of the last file is looked at again, since it may be that of other files too.
  const after = cursor && (cursor.file === null ? cursor.place : before(cursor.place));
  const blobs = walkBlobs(lists, after);
  progress.all = countBlobs(lists);
  let size = FIRST_BATCH;
  for (;;) {
    checkTime(context);
    const batch = take(blobs, size);
    const last = batch.at(-1);
    if (!last) return false;
    const candidates = afterFile(await candidatesOf(context, batch), cursor);
    for (const group of groupByUnits(candidates, units)) {
      checkTime(context);
      const isFull = await addInOrder(context, page, { group, progress });
      if (isFull) {
        progress.looked += batch.findIndex((blob) => keyOf(blob) === lastKey(group)) + 1;
        return true;
      }
      page.total = progress.matched;
    }
    progress.looked += batch.length;
    // All of these blobs' files were looked at.
    page.next = { kind: "blob", place: placeOfBlob(last), file: null };
    // Where names rule out most, more of them are asked for at once.
    const isRare = candidates.length * 8 < batch.length;
    size = Math.min(isRare ? LARGEST_NAMED_BATCH : LARGEST_BATCH, size * (isRare ? 8 : 2));
  }
}

/** Adds the files of a group for which the query is true; true once the page is full. */
async function addInOrder(
  context: Searching,
  page: Page,
  { group, progress }: { group: Candidate[]; progress: Progress },
): Promise<boolean> {
  const verified = await verify(group, verificationOf(context));
  progress.matched += verified.length;
  const count = await addFiles(context, page, verified);
  const isFull = count < verified.length;
  const last = isFull ? verified[count - 1] : group.at(-1);
  if (last) page.next = { kind: "blob", place: placeOfBlob(last.blob), file: last.file };
  return isFull;
}

/** Adds files as long as the page has room; answers how many. */
async function addFiles(context: Searching, page: Page, verified: Verified[]): Promise<number> {
  const { limit, lines, context: around } = context.options;
  let count = 0;
  for (const { found } of verified) {
    const own = Math.min(lines, Math.max(0, ...found.map(({ length }) => length))) * (1 + 2 * around);
    const files = page.files.length + count;
    if (files === limit || (files > 0 && page.lines + own > LINES_OF_PAGE)) break;
    page.lines += own;
    count += 1;
  }
  page.files.push(...(await show(context, verified.slice(0, count))));
  return count;
}

/**
 * Adds files that have no text but are what is asked for: of a kind, or with a word in their path that is in so many
 * that they were not all looked at. True once the page is full.
 */
async function fillWithoutText(
  context: Searching,
  page: Page,
  options: {
    after: FilePlace | null;
    broad: ReadonlySet<Leaf>;
    /** Files that are found already. */
    named: ReadonlySet<string>;
    progress: Progress;
  },
): Promise<boolean> {
  const { trx, viewer, query } = context;
  if (!mayBeWithoutText(context, options.broad)) return false;
  const patterns = context.leaves
    .filter(({ query: of, isShown }) => isShown && of.scope === "anywhere")
    .map(({ pattern }) => compilePattern(pattern));
  for (let { after } = options; ; ) {
    checkTime(context);
    const names = { query, withoutText: true, after, limit: NAMES_AT_ONCE };
    const rows = await listMatching(trx, viewer, names);
    for (const file of rows) {
      if (!options.named.has(nameOf(file))) {
        if (page.files.length === context.options.limit) return true;
        page.files.push(
          toFound(file, { path_ranges: rangesInPath(patterns, file), lines: [], more_lines: 0 }),
        );
        options.progress.matched += 1;
      }
      after = placeOfFile(file);
      page.next = { kind: "file", place: after };
    }
    if (rows.length < NAMES_AT_ONCE) return false;
  }
}

/** False where a query is true of no file without a text but those that were found by their paths. */
function mayBeWithoutText({ query, leaves }: Searching, broad: ReadonlySet<Leaf>): boolean {
  return (
    decide(query, (of) => {
      if (of.kind !== "text") return null;
      const isBroad = leaves.some((leaf) => leaf.query === of && broad.has(leaf));
      return isBroad ? null : false;
    }) !== false
  );
}

function rangesInPath(patterns: CompiledPattern[], { path }: SearchedFile): [number, number][] {
  const line = pathLine(path);
  return mergeRanges(patterns.flatMap((pattern) => pattern.matchLines(line, 1)[0]?.ranges ?? []));
}

function lastKey(group: Candidate[]): string | null {
  const blob = group.at(-1)?.blob;
  return blob ? keyOf(blob) : null;
}

/** Leaves the blobs of files whose paths the query asks for, where the index knows which these are. */
async function withinPaths(context: Searching, lists: BlobLists): Promise<BlobLists> {
  const within = await findPathsWithin(context);
  return within ? commonBlobs(lists, within) : lists;
}

function before({ repository, first }: Place): Place {
  return { repository, first: first - 1 };
}

function placeOfBlob(blob: SegmentBlob | null): Place {
  return blob ? placeOf(blob.segment, blob.blob) : { repository: 0, first: 0 };
}

/** Leaves out the files of the first blob up to the cursor's. */
function afterFile(candidates: Candidate[], cursor: Extract<Cursor, { kind: "blob" }> | null): Candidate[] {
  const file = cursor?.file;
  if (!file) return candidates;
  const last = candidates.findLastIndex(
    (candidate) =>
      comparePlaces(placeOfBlob(candidate.blob), cursor.place) === 0 &&
      candidate.file.path === file.path &&
      candidate.file.path_base64 === file.path_base64,
  );
  return candidates.slice(last + 1);
}

function estimate(page: Page, { looked, matched, all }: Progress, { isWhole }: { isWhole: boolean }): void {
  page.isExact = isWhole;
  page.total = isWhole ? matched : Math.round((all * matched) / Math.max(1, looked));
}

async function show(context: Searching, verified: Verified[]): Promise<FoundFile[]> {
  const { leaves, options } = context;
  const shown = await linesOfFiles(context, verified, {
    leaves,
    limit: options.lines,
    context: options.context,
  });
  return verified.map(({ file, path_ranges }, i) =>
    toFound(file, { path_ranges, ...(shown[i] as ShownLines) }),
  );
}

/**
 * Files from the best on: window by window, in each those first that their names and texts speak for. The first window
 * (of tier -1) holds the files that are found by their paths beside the first that have the words as identifiers.
 */
async function fillRanked(context: Searching, page: Page): Promise<void> {
  const cursor = ofKind(page.next, ["ranked", "file"]);
  const { hasUnread, unitsOf, units } = context;
  const hits = await findPathHits(context, hasUnread ? await unitsOf("part") : units);
  const tiers = new Tiers(context, { hits, within: await findPathsWithin(context) });
  const progress: Progress = { looked: 0, matched: 0, all: await tiers.estimate() };
  const isFull =
    (cursor?.kind !== "file" && (await fillFromTiers(context, page, { cursor, hits, tiers, progress }))) ||
    (await fillWithoutText(context, page, {
      after: cursor?.kind === "file" ? cursor.place : null,
      broad: await tiers.broad(),
      named: namesOf([...hits.candidates, ...(await tiers.otherPathHits())]),
      progress,
    }));
  if (!isFull) page.next = null;
  estimate(page, progress, { isWhole: !isFull && cursor === null });
}

/** Adds files tier by tier; true once the page is full. */
async function fillFromTiers(
  context: Searching,
  page: Page,
  {
    cursor,
    hits,
    tiers,
    progress,
  }: {
    cursor: Extract<Cursor, { kind: "ranked" }> | null;
    hits: PathHits;
    tiers: Tiers;
    progress: Progress;
  },
): Promise<boolean> {
  const named = namesOf(hits.candidates);
  let [tier, after, start] = [cursor?.tier ?? -1, cursor?.after ?? null, cursor as Start | null];
  while (tier <= TIERS.length) {
    checkTime(context);
    const isByPath = tier === TIERS.length;
    const window = isByPath ? [] : take(walkBlobs(await tiers.blobs(Math.max(0, tier)), after), WINDOW);
    const found = isByPath ? await tiers.otherPathHits() : await candidatesOf(context, window);
    const others = found.filter(({ file }) => !named.has(nameOf(file)));
    const candidates = tier < 0 ? [...hits.candidates, ...others] : others;
    progress.looked += window.length + candidates.length - others.length;
    if (await fillFromWindow(context, page, { candidates, tier, after, start, progress })) return true;
    start = null;
    const last = window.at(-1);
    after = last ? placeOfBlob(last) : null;
    if (tier < 0) tier = 0;
    else if (!last) tier += 1;
    page.next = { kind: "ranked", tier, after, group: 0, offset: 0 };
  }
  return false;
}

function namesOf(candidates: Candidate[]): Set<string> {
  return new Set(candidates.map(({ file }) => nameOf(file)));
}

/** Where in a window a page begins. */
interface Start {
  group: number;
  offset: number;
}

/** The blobs of each tier that no tier before it has; worked out when they are asked for. */
class Tiers {
  readonly #context: Searching;
  readonly #hits: PathHits;
  readonly #within: BlobLists | null;
  readonly #known: BlobLists[] = [];
  #allHits: Promise<PathHits> | undefined;

  constructor(context: Searching, { hits, within }: { hits: PathHits; within: BlobLists | null }) {
    this.#context = context;
    this.#hits = hits;
    this.#within = within;
  }

  async blobs(tier: number): Promise<BlobLists> {
    while (this.#known.length <= tier) {
      const name = TIERS[this.#known.length] as Tier;
      const broad = name === "anywhere" ? await this.broad() : new Set<Leaf>();
      const lists = this.#list(await this.#context.unitsOf(name), broad);
      this.#known.push(this.#known.reduce(withoutBlobs, lists));
    }
    return this.#known[tier] as BlobLists;
  }

  /** Words that any path may have. */
  async broad(): Promise<ReadonlySet<Leaf>> {
    return (await this.#findAllHits()).broad;
  }

  /** Files that are found by their paths alone, once the words that were not read before are. */
  async otherPathHits(): Promise<Candidate[]> {
    if (!this.#context.hasUnread) return [];
    const { candidates } = await this.#findAllHits();
    await this.blobs(TIERS.length - 1);
    return candidates.filter(
      ({ blob }) => !blob || !this.#known.some((lists) => lists.get(blob.segment)?.includes(blob.blob)),
    );
  }

  /** How many files there may be. */
  async estimate(): Promise<number> {
    const { units, unitsOf, hasUnread } = this.#context;
    const lists = hasUnread
      ? this.#list(await unitsOf("part"), new Set())
      : this.#list(units, this.#hits.broad);
    return countBlobs(lists) + this.#hits.candidates.length;
  }

  async #findAllHits(): Promise<PathHits> {
    if (!this.#context.hasUnread) return this.#hits;
    const units = await this.#context.unitsOf("anywhere");
    this.#allHits ??= findPathHits({ ...this.#context, units }, units);
    return await this.#allHits;
  }

  #list(units: UnitsBySegment, broad: ReadonlySet<Leaf>): BlobLists {
    const { query, leaves, allowed } = this.#context;
    const lists = listBlobs(query, { leaves, units, broad, allowed });
    return this.#within ? commonBlobs(lists, this.#within) : lists;
  }
}

function nameOf({ repository_id, path, path_base64 }: SearchedFile): string {
  return `${repository_id}/${path_base64 ?? ""}/${path}`;
}

function take<T>(items: Iterator<T>, count: number): T[] {
  const taken: T[] = [];
  while (taken.length < count) {
    const next = items.next();
    if (next.done) break;
    taken.push(next.value);
  }
  return taken;
}

/** Adds the files of a window, group by group; true once the page is full. */
async function fillFromWindow(
  context: Searching,
  page: Page,
  window: {
    candidates: Candidate[];
    tier: number;
    after: Place | null;
    start: Start | null;
    progress: { matched: number };
  },
): Promise<boolean> {
  const { tier, after, start, progress } = window;
  const words = wordsOfLeaves(context.leaves).map(({ word }) => word.toLowerCase());
  const ordered = window.candidates
    .map((candidate) => ({
      candidate,
      score: (1 + scorePath(candidate.file, words)) * sinkOf(candidate.file),
    }))
    .sort((a, b) => b.score - a.score)
    .map(({ candidate }) => candidate);
  for (let group = start?.group ?? 0; startOfGroup(group) < ordered.length; group += 1) {
    checkTime(context);
    const ranked = await rankGroup(context, ordered.slice(startOfGroup(group), startOfGroup(group + 1)));
    progress.matched += ranked.length;
    const from = group === start?.group ? start.offset : 0;
    const end = from + (await addFiles(context, page, ranked.slice(from)));
    if (ranked.length > end) {
      page.next = { kind: "ranked", tier, after, group, offset: end };
      return true;
    }
    page.next = { kind: "ranked", tier, after, group: group + 1, offset: 0 };
  }
  return false;
}

/** The place of a group's first file in its window. */
function startOfGroup(group: number): number {
  return group === 0 ? 0 : FIRST_GROUP + (group - 1) * NEXT_GROUP;
}

async function rankGroup(context: Searching, candidates: Candidate[]): Promise<Verified[]> {
  const words = wordsOfLeaves(context.leaves);
  const verified = await verify(candidates, verificationOf(context));
  return verified
    .map((file) => ({ file, score: scoreOf(file, words) }))
    .sort((a, b) => b.score - a.score)
    .map(({ file }) => file);
}

function wordsOfLeaves(leaves: Leaf[]): { word: string; leaf: number }[] {
  return leaves.flatMap(({ query, pattern, isShown }, leaf) =>
    query.word && isShown && pattern.kind === "literal" ? [{ word: pattern.text, leaf }] : [],
  );
}

/** Hits of one word beyond those tell no more of how it stands: in a file, and in a line. */
const HITS_SCORED = 10;
const RANGES_SCORED = 10;

function scoreOf({ file, found }: Verified, words: { word: string; leaf: number }[]): number {
  const hits = words.map(({ word, leaf }) => ({
    word,
    found: (found[leaf] ?? []).slice(0, HITS_SCORED).flatMap(({ unit, index, ranges }) => {
      const line = unit.start_line + index;
      const text = lineOf(unit.text, index) ?? "";
      return ranges.slice(0, RANGES_SCORED).map(([start, end]) => ({ line, text, start, end }));
    }),
  }));
  const names = words.map(({ word }) => word.toLowerCase());
  return (scorePath(file, names) + scoreText(hits)) * sinkOf(file);
}
