import { SourceError } from "./source.ts";

/** git's own limit, core.maxTreeDepth; no work tree is nearly as deep. git-scm.com/docs/git-config */
const MAX_DEPTH = 2_048;
/** Of all paths together, for each file that is allowed: real ones take about 60. */
const MAX_PATH_BYTES_PER_FILE = 256;

/** A tree that stands for more than any memory holds: a few objects, each listed many times over, are enough. */
class TreeTooLarge extends SourceError {
  override readonly name = "TreeTooLarge";

  constructor(what: string) {
    super("tree_too_large", `The commit's tree is too large to index: ${what}.`, { retryable: false });
  }
}

/** Counts what is listed of one tree, and stops with TreeTooLarge before it is too much. */
export class ListingMeter {
  readonly #maxFiles: number;
  #entries = 0;
  #pathBytes = 0;

  constructor(maxFiles: number) {
    this.#maxFiles = maxFiles;
  }

  /** Tells of so many more files or directories, and of the bytes of their paths. */
  add(entries: number, pathBytes: number): void {
    this.#entries += entries;
    this.#pathBytes += pathBytes;
    if (this.#entries > this.#maxFiles) {
      const most = this.#maxFiles.toLocaleString("en-US");
      throw new TreeTooLarge(`it has more than ${most} files and directories (MAX_REPOSITORY_FILES)`);
    }
    if (this.#pathBytes > this.#maxFiles * MAX_PATH_BYTES_PER_FILE) {
      throw new TreeTooLarge("its paths are too long for their number (MAX_REPOSITORY_FILES)");
    }
  }
}

/** Directories within each other, the root being 0. */
export function refuseDepth(depth: number): void {
  if (depth > MAX_DEPTH) throw new TreeTooLarge(`directories lie more than ${MAX_DEPTH} deep`);
}

/** Of directories by their paths. */
export function refuseDeep(paths: Iterable<string>): void {
  for (const path of paths) if (path.length > 2 * MAX_DEPTH) refuseDepth(path.split("/").length);
}

/** No directory holds itself, since its SHA is made of theirs: an answer that says so would be followed for ever. */
export function refuseCircle(directory: Placed): void {
  for (let above = directory.within; above; above = above.within) {
    if (above.sha !== directory.sha) continue;
    const message = "GitHub's list of files could not be read: a directory lies within itself.";
    throw new SourceError("bad_listing", message, { retryable: true });
  }
}

interface Placed {
  sha: string;
  within: Placed | null;
}
